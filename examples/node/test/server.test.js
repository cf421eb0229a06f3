import assert from "node:assert/strict";
import { test } from "node:test";
import { newServer } from "../src/server.js";

async function start(t, options) {
  const { server, state } = newServer(options);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const ask = async (method, path, { body, headers } = {}) => {
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { method, body, headers });
    return { status: response.status, body: await response.json() };
  };
  return { ask, state };
}

test("health, and readiness until it shuts down", async (t) => {
  const { ask, state } = await start(t);
  assert.deepEqual(await ask("GET", "/health"), { status: 200, body: { status: "ok" } });
  assert.equal((await ask("GET", "/ready")).status, 200);
  state.ready = false;
  assert.deepEqual(await ask("GET", "/ready"), { status: 503, body: { error: "shutting down" } });
  assert.equal((await ask("GET", "/health")).status, 200);
});

test("tasks are kept, and bad ones refused with the reason", async (t) => {
  const { ask } = await start(t);
  const made = await ask("POST", "/api/tasks", { body: JSON.stringify({ title: " write " }) });
  assert.equal(made.status, 201);
  assert.equal(made.body.title, "write");
  assert.deepEqual((await ask("GET", "/api/tasks")).body, { tasks: [made.body] });
  for (const [body, status, error] of [
    ["{", 400, "the body is not JSON"],
    ["null", 400, "title: want a text of 1 to 200 characters"],
    [JSON.stringify({ title: "" }), 400, "title: want a text of 1 to 200 characters"],
    [JSON.stringify({ title: "x".repeat(70_000) }), 413, "the body has more than 65536 bytes"],
  ]) {
    assert.deepEqual(await ask("POST", "/api/tasks", { body }), { status, body: { error } });
  }
});

test("the statistics need the key, and without one stay closed", async (t) => {
  const open = await start(t, { key: "secret" });
  assert.equal((await open.ask("GET", "/api/protected/stats")).status, 401);
  assert.equal((await open.ask("GET", "/api/protected/stats", { headers: { "x-api-key": "wrong!" } })).status, 401);
  assert.equal((await open.ask("GET", "/api/protected/stats", { headers: { "x-api-key": "secret" } })).status, 200);
  const closed = await start(t);
  assert.equal((await closed.ask("GET", "/api/protected/stats", { headers: { "x-api-key": "" } })).status, 401);
});

test("unknown routes and errors leak nothing, and requests are logged", async (t) => {
  const lines = [];
  const { ask } = await start(t, { log: (line) => lines.push(line) });
  assert.deepEqual(await ask("GET", "/constructor"), { status: 404, body: { error: "no such route" } });
  assert.deepEqual((await ask("GET", "/api/echo?message=a%20b")).body, { message: "a b" });
  assert.deepEqual(lines.map((l) => [l.route, l.status]), [["GET /constructor", 404], ["GET /api/echo", 200]]);
});
