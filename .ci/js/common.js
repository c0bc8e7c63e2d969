"use strict";

const assert = require("node:assert/strict");

const { ManagedIdentityCredential } = require("@azure/identity");

exports.credential = new ManagedIdentityCredential();

/** Everything that an iterator of pages has. */
exports.all = async (pages) => {
  const found = [];
  for await (const item of pages) found.push(item);
  return found;
};

/** What is not known is refused by its name; what is refused for another reason has a code of its own. */
exports.refused = async (work, status, code) => {
  await assert.rejects(work, (error) => {
    const given = error.code ?? error.details?.errorCode;
    assert.equal(error.statusCode, status, `${error.statusCode} ${error.message}`);
    if (code) assert.equal(given, code, error.message);
    return true;
  });
};

/** Runs a part, and says which. */
exports.part = (name, work) => {
  work().then(
    () => console.log(`the official JavaScript clients: ${name}`),
    (error) => {
      console.error(`the official JavaScript clients: ${name}:`, error);
      process.exitCode = 1;
    },
  );
};
