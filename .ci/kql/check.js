// Reads queries as JSON from a file, and holds each against the tables: with the analyser that Azure's own editor uses, an unknown
// name or a wrong type is an error. Then the analyser itself is tried: each of the changes has to be found.
const { readFileSync } = require('node:fs');
const path = require('node:path');

// The order matters: the second needs what the first leaves behind.
require('@kusto/language-service-next/bridge.min.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.min.js');
const { GlobalState, KustoCode, Symbols } = Kusto.Language;

/** The tables of the file beside this one, as symbols. */
function tables(text) {
    const words = text.replace(/^#.*$/gm, '').split(/\n(?=\w)/).map((table) => table.split(/\s+/).filter(Boolean));
    return words.filter((table) => table.length).map(([name, ...columns]) => {
        const symbols = columns.map((column) => {
            const [of, type = 'string'] = column.split(':');
            return new Symbols.ColumnSymbol(of, Symbols.ScalarTypes.GetSymbol(type));
        });
        return new Symbols.TableSymbol.$ctor4(name, symbols);
    });
}

const read = tables(readFileSync(path.join(__dirname, 'tables.txt'), 'utf8'));
const database = new Symbols.DatabaseSymbol.ctor('Workspace', read);
const globals = GlobalState.Default.WithDatabase(database);

/** What the analyser says of a query. */
function faults(query) {
    const code = KustoCode.ParseAndAnalyze(query, globals);
    const found = code.GetDiagnostics();
    const list = [];
    for (let at = 0; at < found.Count; at += 1) {
        const { Severity, Message, Start } = found.getItem(at);
        if (Severity !== 'Suggestion' && Severity !== 'Hidden') list.push(`${Severity} at ${Start}: ${Message}`);
    }
    return list;
}

const queries = JSON.parse(readFileSync(process.argv[2], 'utf8'));
let wrong = 0;
for (const [name, query] of Object.entries(queries)) {
    for (const fault of faults(query)) {
        console.log(`FAULT ${name}: ${fault}`);
        wrong += 1;
    }
}

// Every table that a query names is in the file: one that is not would be an error. The other way round:
const texts = Object.values(queries).join('\n');
for (const { Name } of read) {
    if (!new RegExp(`\\b${Name}\\b`).test(texts)) {
        console.log(`FAULT ${Name} is in tables.txt, and no query reads it`);
        wrong += 1;
    }
}

const changes = [
    [/\bMessage\b/, 'Massage'],
    [/\bAppRoleName\b/, 'RoleName'],
    [/\bAppTraces\b/, 'Traces'],
    [/\bRequesterObjectId\b/, 'RequesterId'],
    [/\bCategory startswith/, 'TimeGenerated startswith'],
    [/\brefused > 20/, 'refused > "twenty"'],
    [/\bOperationNameValue\b/, 'OperationValue'],
    [/\bAuthorization_d\.scope\b/, 'Authorisation_d.scope'],
    [/\btolower\(/, 'lower('],
    [/\| where TimeGenerated > ago\((\d+)h\)/, '| where TimeGenerated > $1'],
    [/\| summarize \w+ = count\(\)/, '| summarize counted = county()'],
    [/\) on target\b/, ') on aim'],
    [/\| where /, '| were '],
    [/\bAppName\b/, 'Application'],
];
let noticed = 0;
for (const [old, changed] of changes) {
    const hit = Object.entries(queries).filter(([, query]) => old.test(query));
    const missed = hit.filter(([, query]) => faults(query.replace(old, changed)).length === 0);
    if (hit.length === 0) {
        console.log(`FAULT no query has ${old}`);
        wrong += 1;
    }
    for (const [name] of missed) {
        console.log(`SURVIVOR ${name}: ${old} -> ${changed}`);
        wrong += 1;
    }
    noticed += hit.length - missed.length;
}
console.log(`${Object.keys(queries).length} queries, ${read.length} tables; ${noticed} changes were noticed; ${wrong} faults`);
process.exit(wrong ? 1 : 0);
