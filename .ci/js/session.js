// Starts `cargo emulator`, and the clients in a process of their own: Node reads the certificate of the emulator's CA
// when it starts. What fails there is the emulator's fault, not the clients'.
"use strict";

const { spawn } = require("node:child_process");
const path = require("node:path");
const readline = require("node:readline");

const PRODUCT = path.resolve(__dirname, "../..");
const EMULATOR = ["emulator", "--port", "0", "--identity-port", "0", "--versions", "--deleted-days", "7"];
const LAST_LINE = "# To see the challenge:";
const PARTS = ["vaults.js", "blobs.js", "queues.js"];

/** The variables that the emulator printed before it waits. */
async function printed(emulator) {
  const variables = {};
  for await (const line of readline.createInterface({ input: emulator.stdout })) {
    const found = /^export (\w+)=(.*)$/.exec(line);
    if (found) variables[found[1]] = found[2];
    if (line.startsWith(LAST_LINE)) return variables;
  }
  throw new Error("the emulator did not start");
}

function run(part, variables) {
  return new Promise((resolve) => {
    const env = { ...process.env, ...variables };
    const running = spawn(process.execPath, [path.join(__dirname, part)], { env, stdio: "inherit" });
    running.on("exit", (code) => resolve(code ?? 1));
  });
}

async function main() {
  const emulator = spawn("cargo", EMULATOR, { cwd: PRODUCT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => emulator.on("exit", resolve));
  try {
    const variables = await printed(emulator);
    for (const part of PARTS) {
      const code = await run(part, variables);
      if (code !== 0) return code;
    }
    return 0;
  } finally {
    emulator.kill();
    await ended;
  }
}

main().then((code) => {
  process.exitCode = code;
});
