// Blobs with versions, conditions and checksums.
"use strict";

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");

const { BlobServiceClient } = require("@azure/storage-blob");

const { all, credential, part, refused } = require("./common.js");

const service = new BlobServiceClient(new URL(process.env.KEYVAULT_BACKUP_CONTAINER).origin, credential);
const container = service.getContainerClient("js");
const text = async (client) => (await client.downloadToBuffer()).toString();
const put = (client, content, options) => client.upload(content, content.length, options);

async function versions() {
  const blob = container.getBlockBlobClient("versions");
  const [first, second] = [await put(blob, "one"), await put(blob, "two")].map((of) => of.versionId);
  assert.equal(await text(blob), "two");
  assert.equal(await text(blob.withVersion(first)), "one");
  const listed = await all(container.listBlobsFlat({ prefix: "versions", includeVersions: true }));
  assert.deepEqual(listed.map((of) => [of.versionId, of.isCurrentVersion ?? false]), [[first, false], [second, true]]);
  await refused(() => blob.withVersion(second).delete(), 403, "OperationNotAllowedOnRootBlob");
  await blob.withVersion(first).delete();
  await refused(() => blob.withVersion(first).getProperties(), 404);
  const options = { prefix: "versions", includeVersions: true, includeDeleted: true, includeMetadata: true };
  const deleted = (await all(container.listBlobsFlat(options))).filter((of) => of.deleted);
  assert.deepEqual(deleted.map((of) => of.versionId), [first]);
  await blob.undelete();
  assert.equal(await text(blob.withVersion(first)), "one");
  await blob.delete();
  assert.equal(await blob.exists(), false);
  assert.equal(await text(blob.withVersion(second)), "two");
}

async function conditions() {
  const blob = container.getBlockBlobClient("conditions");
  const created = await put(blob, "one", { conditions: { ifNoneMatch: "*" }, metadata: { a: "b" } });
  await refused(() => put(blob, "two", { conditions: { ifNoneMatch: "*" } }), 409, "BlobAlreadyExists");
  await refused(() => put(blob, "two", { conditions: { ifMatch: '"0x1"' } }), 412, "ConditionNotMet");
  const early = new Date("2020-01-01");
  await refused(() => put(blob, "two", { conditions: { ifUnmodifiedSince: early } }), 412, "ConditionNotMet");
  await refused(() => blob.delete({ conditions: { ifUnmodifiedSince: early } }), 412, "ConditionNotMet");
  await refused(() => blob.getProperties({ conditions: { ifModifiedSince: new Date("2999-01-01") } }), 304);
  await blob.setMetadata({ a: "c" }, { conditions: { ifMatch: created.etag } });
  assert.equal((await blob.getProperties({ conditions: { ifModifiedSince: early } })).metadata.a, "c");
}

async function checksums() {
  const blob = container.getBlockBlobClient("checksums");
  const transactionalContentMD5 = createHash("md5").update("content").digest();
  const { contentMD5 } = await put(blob, "content", { transactionalContentMD5 });
  assert.deepEqual(Buffer.from(contentMD5), transactionalContentMD5);
  await refused(() => put(blob, "contenT", { transactionalContentMD5 }), 400, "Md5Mismatch");
  for (const content of ["content in a frame", "x".repeat(9 * 1024 * 1024)]) {
    await put(blob, content, { contentChecksumAlgorithm: "StorageCrc64" });
    assert.equal(await text(blob), content);
    const download = await blob.downloadToBuffer(0, undefined, { contentChecksumAlgorithm: "StorageCrc64" });
    assert.equal(download.toString(), content);
  }
  const part = await blob.download(0, 9, { rangeGetContentCrc64: true });
  assert.equal(part.contentCrc64.length, 8);
}

async function blocks() {
  const blob = container.getBlockBlobClient("blocks");
  await blob.stageBlock("MQ==", "one ", 4);
  await blob.stageBlock("Mg==", "two", 3, { contentChecksumAlgorithm: "StorageCrc64" });
  assert.equal((await blob.getBlockList("uncommitted")).uncommittedBlocks.length, 2);
  await blob.commitBlockList(["MQ==", "Mg=="], { metadata: { a: "b" }, conditions: { ifNoneMatch: "*" } });
  assert.equal(await text(blob), "one two");
  assert.deepEqual((await blob.getBlockList("committed")).committedBlocks.map((of) => of.size), [4, 3]);
  await refused(() => blob.commitBlockList(["Mw=="]), 400, "InvalidBlockList");
}

async function immutable() {
  const blob = container.getBlockBlobClient("immutable");
  await put(blob, "content");
  assert.equal((await blob.setLegalHold(true)).legalHold, true);
  await refused(() => blob.delete(), 409, "BlobImmutableDueToLegalHold");
  await blob.setLegalHold(false);
  await blob.setImmutabilityPolicy({ expiriesOn: new Date("2999-01-01"), policyMode: "Unlocked" });
  await refused(() => blob.delete(), 409, "BlobImmutableDueToPolicy");
  assert.equal((await blob.getProperties()).immutabilityPolicyMode, "unlocked");
  await blob.deleteImmutabilityPolicy();
  await blob.delete();
}

async function unknown() {
  const blob = container.getBlockBlobClient("unknown");
  await put(blob, "content");
  const not = (work) => refused(work, 501, "NotImplemented");
  await not(() => blob.createSnapshot());
  await not(() => blob.delete({ deleteSnapshots: "only" }));
  await not(() => blob.setAccessTier("Cool"));
  await not(() => blob.setTags({ a: "b" }));
  await not(() => blob.getBlobLeaseClient().acquireLease(15));
  await not(() => put(blob, "other", { tier: "Cool" }));
  await not(() => put(blob, "other", { tags: { a: "b" } }));
  await not(() => put(blob, "other", { conditions: { tagConditions: "a = 'b'" } }));
  await not(() => put(blob, "other", { conditions: { leaseId: "1" } }));
  await not(() => all(container.listBlobsFlat({ includeTags: true })));
  assert.equal(await text(blob), "content");
}

part("blobs with versions, conditions and checksums", async () => {
  await container.create();
  for (const work of [versions, conditions, checksums, blocks, immutable, unknown]) await work();
  await container.delete();
});
