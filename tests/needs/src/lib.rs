//! [`macro@needs`], for tests that not every machine can run.

use proc_macro::TokenStream;

/// Ignores a test, with the reason, where what it needs was missing when the tests were built. It stands above
/// `#[test]` or `#[tokio::test]`, which look at what is ignored.
///
/// - `recordings`: the recorded traffic of the service
/// - `azurite`: Azurite
/// - `runbook_tools`: bash, curl and jq
/// - `powershell`: PowerShell 7, as `pwsh`
/// - `python`: Python 3, as `python3`
///
/// A test that is not ignored relies on what it needs, and fails without.
#[proc_macro_attribute]
pub fn needs(what: TokenStream, test: TokenStream) -> TokenStream {
    let missing = match what.to_string().as_str() {
        "recordings" => option_env!("MISSING_RECORDINGS"),
        "azurite" => option_env!("MISSING_AZURITE"),
        "runbook_tools" => option_env!("MISSING_RUNBOOK_TOOLS"),
        "powershell" => option_env!("MISSING_POWERSHELL"),
        "python" => option_env!("MISSING_PYTHON"),
        other => return parsed(&format!("compile_error!({:?});", format!("nothing is known of {other}"))),
    };
    let ignored = missing.map(|reason| parsed(&format!("#[ignore = {reason:?}]")));
    ignored.into_iter().chain([test]).collect()
}

fn parsed(source: &str) -> TokenStream {
    source.parse().unwrap_or_default()
}
