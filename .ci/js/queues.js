// Messages through their lives.
"use strict";

const assert = require("node:assert/strict");

const { QueueServiceClient } = require("@azure/storage-queue");

const { all, credential, part, refused } = require("./common.js");

const service = new QueueServiceClient(process.env.KEYVAULT_BACKUP_QUEUE__queueServiceUri, credential);
const queue = service.getQueueClient("js");

part("queues", async () => {
  await queue.create({ metadata: { a: "b" } });
  assert.ok((await all(service.listQueues())).some((of) => of.name === "js"));
  for (const message of ["one <&>", "two"]) await queue.sendMessage(message, { messageTimeToLive: 3600 });
  await queue.sendMessage("later", { visibilityTimeout: 600 });
  assert.equal((await queue.peekMessages({ numberOfMessages: 32 })).peekedMessageItems.length, 2);
  const [one, two] = (await queue.receiveMessages({ numberOfMessages: 32 })).receivedMessageItems;
  assert.deepEqual([one.messageText, one.dequeueCount], ["one <&>", 1]);
  const updated = await queue.updateMessage(one.messageId, one.popReceipt, "one again", 0);
  await refused(() => queue.deleteMessage(one.messageId, one.popReceipt), 400, "PopReceiptMismatch");
  const [again] = (await queue.receiveMessages()).receivedMessageItems;
  assert.deepEqual([again.messageText, again.dequeueCount], ["one again", 2]);
  assert.ok(updated.popReceipt);
  await queue.deleteMessage(again.messageId, again.popReceipt);
  await queue.deleteMessage(two.messageId, two.popReceipt);
  await queue.setMetadata({ a: "c" });
  const { approximateMessagesCount, metadata } = await queue.getProperties();
  assert.deepEqual([approximateMessagesCount, metadata.a], [1, "c"]);
  await queue.clearMessages();
  assert.equal((await queue.getProperties()).approximateMessagesCount, 0);
  await refused(() => queue.getAccessPolicy(), 501, "NotImplemented");
  await queue.delete();
  await refused(() => queue.getProperties(), 404, "QueueNotFound");
});
