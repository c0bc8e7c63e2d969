// What a user does with the generated types. Arguments: the app's address, and a key of all its functions.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

type Problem = components["schemas"]["Problem"];

const [baseUrl, key] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl, headers: { "x-functions-key": key } });

const status = await client.GET("/api/status");
assert.deepEqual(status.data?.sources.map((source) => source.source), ["kv-prod"]);

const names: string[] = [];
let after: string | null | undefined;
do {
    const query = { source: "kv-prod", limit: 2, ...(after ? { continue: after } : {}) };
    const { data } = await client.GET("/api/backups", { params: { query } });
    assert(data);
    names.push(...data.backups.map((backup) => backup.name));
    after = data.continue;
} while (after);
assert.deepEqual(names.sort(), ["api-token", "db-password", "signing", "tls"]); // `db-user` has no backup

const objects = [{ kind: "secret" as const, name: "db-password" }];
const plan = await client.POST("/api/restores/plan", { body: { source: "kv-prod", objects } });
assert(plan.data && "steps" in plan.data && plan.data.digest);

const started = await client.POST("/api/backups", { body: { source: "kv-prod", objects } });
assert.equal(started.data?.state, "Succeeded");
const job = await client.GET("/api/status/jobs/{id}", { params: { path: { id: started.data.job } } });
assert(job.data?.type === "backup" && job.data.source === "kv-prod"); // `type` tells which job it is

const unknown = await client.GET("/api/backups", { params: { query: { source: "kv-other" } } });
const problem = unknown.error as Problem;
assert.equal(problem.type, "urn:keyvault-backup:problem:unknown-source");

const wrong = createClient<paths>({ baseUrl, headers: { "x-functions-key": "wrong" } });
const refused = await wrong.GET("/api/status");
assert.equal(refused.response.status, 401);
console.log("the generated types and their client work");
