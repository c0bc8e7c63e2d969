// Objects through their lives.
"use strict";

const assert = require("node:assert/strict");

const { CertificateClient } = require("@azure/keyvault-certificates");
const { KeyClient } = require("@azure/keyvault-keys");
const { SecretClient } = require("@azure/keyvault-secrets");

const { all, credential, part, refused } = require("./common.js");

const VAULT = process.env.KEYVAULT_BACKUP_VAULTS;
const AT_ONCE = { intervalInMs: 20 };

const names = (items) => items.map((item) => item.name);

async function secrets() {
  const client = new SecretClient(VAULT, credential);
  const first = await client.setSecret("js", "one", { tags: { a: "b" } });
  const second = await client.setSecret("js", "two", { contentType: "text/plain" });
  assert.equal((await client.getSecret("js")).value, "two");
  assert.equal((await client.getSecret("js", { version: first.properties.version })).value, "one");
  await client.updateSecretProperties("js", second.properties.version, { enabled: false });
  await refused(() => client.getSecret("js"), 403);
  const versions = await all(client.listPropertiesOfSecretVersions("js"));
  assert.deepEqual(versions.map((of) => of.enabled).sort(), [false, true]);
  assert.ok((await all(client.listPropertiesOfSecrets())).length > 30, "more than a page");

  const backup = await client.backupSecret("js");
  await (await client.beginDeleteSecret("js", AT_ONCE)).pollUntilDone();
  assert.deepEqual(names(await all(client.listDeletedSecrets())), ["js"]);
  await refused(() => client.setSecret("js", "three"), 409);
  await (await client.beginRecoverDeletedSecret("js", AT_ONCE)).pollUntilDone();
  await refused(() => client.restoreSecretBackup(backup), 409);
  await (await client.beginDeleteSecret("js", AT_ONCE)).pollUntilDone();
  await client.purgeDeletedSecret("js");
  assert.equal((await client.restoreSecretBackup(backup)).version, second.properties.version);
  await refused(() => client.getSecret("missing"), 404, "SecretNotFound");
}

async function keys() {
  for (const url of [VAULT, process.env.KEYVAULT_BACKUP_HSMS]) {
    const client = new KeyClient(url, credential);
    const key = await client.createRsaKey("js", { keySize: 3072, tags: { a: "b" } });
    await client.createEcKey("js-ec", { curve: "P-384" });
    await client.updateKeyProperties("js", key.properties.version, { expiresOn: new Date("2037-01-01") });
    assert.equal((await client.getKey("js")).properties.expiresOn.getUTCFullYear(), 2037);
    assert.ok(names(await all(client.listPropertiesOfKeys())).includes("js-ec"));
    assert.equal((await all(client.listPropertiesOfKeyVersions("js"))).length, 1);

    const backup = await client.backupKey("js");
    await (await client.beginDeleteKey("js", AT_ONCE)).pollUntilDone();
    await (await client.beginRecoverDeletedKey("js", AT_ONCE)).pollUntilDone();
    await (await client.beginDeleteKey("js", AT_ONCE)).pollUntilDone();
    assert.deepEqual(names(await all(client.listDeletedKeys())), ["js"]);
    await client.purgeDeletedKey("js");
    assert.equal((await client.restoreKeyBackup(backup)).properties.version, key.properties.version);
    await refused(() => client.getKeyRotationPolicy("js"), 501, "NotImplemented");
    await refused(() => client.rotateKey("js"), 501, "NotImplemented");
  }
}

async function certificates() {
  const client = new CertificateClient(VAULT, credential);
  const policy = { issuerName: "Self", subject: "cn=js" };
  const making = await client.beginCreateCertificate("js-c", policy, { ...AT_ONCE, tags: { a: "b" } });
  const made = await making.pollUntilDone();
  assert.equal(made.policy.subject, "cn=js");
  assert.ok(made.properties.notBefore && made.properties.expiresOn);
  await client.updateCertificateProperties("js-c", made.properties.version, { enabled: false });
  assert.equal((await client.getCertificate("js-c")).properties.enabled, false);
  await client.beginCreateCertificate("waits", { issuerName: "Unknown", subject: "cn=x" }, AT_ONCE);
  const listed = names(await all(client.listPropertiesOfCertificates()));
  assert.ok(listed.includes("js-c") && !listed.includes("waits"), `${listed}`);
  const pending = names(await all(client.listPropertiesOfCertificates({ includePending: true })));
  assert.ok(pending.includes("waits"), `${pending}`);

  const backup = await client.backupCertificate("js-c");
  await (await client.beginDeleteCertificate("js-c", AT_ONCE)).pollUntilDone();
  await (await client.beginRecoverDeletedCertificate("js-c", AT_ONCE)).pollUntilDone();
  await (await client.beginDeleteCertificate("js-c", AT_ONCE)).pollUntilDone();
  await client.purgeDeletedCertificate("js-c");
  const restored = await client.restoreCertificateBackup(backup);
  assert.equal(restored.properties.version, made.properties.version);
  await refused(() => client.getCertificatePolicy("js-c"), 501, "NotImplemented");
  await refused(() => client.getContacts(), 501, "NotImplemented");
}

part("secrets, keys and certificates through their lives", async () => {
  await secrets();
  await keys();
  await certificates();
});
