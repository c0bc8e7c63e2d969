//! A program that does not trust the authority of the services: what it says leads to the certificate.

use std::path::Path;

use keyvault_backup_emulator::Azure;

use super::{back_up, healthy, names, preflight};

/// An authority of another name is not known; one of the same name has another key.
async fn strangers() -> [(String, &'static str, Azure); 2] {
    let file = |path: &Path| path.display().to_string();
    let azure = Azure::start().await.expect("another emulator");
    let another = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/preflight/another-authority.pem");
    [(file(&another), "UnknownIssuer", azure.clone()), (file(azure.ca_pem_path()), "BadSignature", azure)]
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_leads_to_the_certificate_and_not_to_names_or_firewalls() {
    let mut world = healthy().await;
    for (authority, words, _kept) in strangers().await {
        world.set("SSL_CERT_FILE", &authority);
        let (code, report) = preflight(&world).await;
        let findings = report["findings"].as_array().expect("a list");
        assert!(code == Some(2) && findings.len() >= 4, "{report:#}");
        assert!(names(&report).iter().all(|name| *name == "certificate-untrusted"), "{report:#}");
        for found in findings {
            let [seen, remedy] = ["seen", "remedy"].map(|field| found[field].as_str().expect("a text"));
            assert!(seen.contains(words) && remedy.contains("SSL_CERT_FILE"), "{found}");
        }
    }
}

/// Without a preflight, too.
#[tokio::test]
async fn a_backup_that_does_not_trust_an_authority_says_that_the_certificate_is_invalid() {
    let mut world = healthy().await;
    for (authority, words, _kept) in strangers().await {
        world.set("SSL_CERT_FILE", &authority);
        let output = back_up(&world).await;
        let said = String::from_utf8_lossy(&output.stderr);
        let told = said.contains(&format!("invalid peer certificate: {words}"));
        assert!(output.status.code() == Some(2) && told && !said.contains("firewall"), "{said}");
    }
}
