// A small HTTP service: tasks in memory, a health check, and an endpoint behind a key.
import { createServer } from "node:http";
import { randomUUID, timingSafeEqual } from "node:crypto";

const maxBody = 64 * 1024; // bytes
const maxTasks = 1000;

// A known failure, with what the client may know of it.
class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function readJSON(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > maxBody) throw new Failure(413, `the body has more than ${maxBody} bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw new Failure(400, "the body is not JSON");
  }
}

function same(a, b) {
  const x = Buffer.from(a ?? "");
  const y = Buffer.from(b ?? "");
  return x.length === y.length && timingSafeEqual(x, y);
}

// newServer makes the service. key opens /api/protected/stats; without one it stays
// closed. log gets one object for each request.
export function newServer({ key = "", log = () => {} } = {}) {
  const tasks = [];
  const state = { ready: true, requests: 0 };
  const routes = {
    "GET /health": () => ({ status: "ok" }),
    "GET /ready": () => {
      if (!state.ready) throw new Failure(503, "shutting down");
      return { status: "ok" };
    },
    "GET /api": () => ({ name: "tasks" }),
    "GET /api/health": () => ({ status: "ok" }),
    "GET /api/tasks": () => ({ tasks }),
    "POST /api/tasks": async (request) => {
      const { title } = (await readJSON(request)) ?? {};
      if (typeof title !== "string" || title.trim() === "" || title.length > 200) {
        throw new Failure(400, "title: want a text of 1 to 200 characters");
      }
      if (tasks.length === maxTasks) throw new Failure(409, `there are ${maxTasks} tasks already`);
      const task = { id: randomUUID(), title: title.trim() };
      tasks.push(task);
      return task;
    },
    "GET /api/echo": (_, url) => ({ message: url.searchParams.get("message") ?? "" }),
    "GET /api/protected/stats": (request) => {
      if (key === "" || !same(request.headers["x-api-key"], key)) throw new Failure(401, "x-api-key: missing or wrong");
      return { requests: state.requests, tasks: tasks.length };
    },
  };
  const server = createServer(async (request, response) => {
    const started = process.hrtime.bigint();
    const url = new URL(request.url, "http://localhost");
    const route = `${request.method} ${url.pathname}`;
    state.requests += 1;
    let status = request.method === "POST" ? 201 : 200;
    let body;
    try {
      const handle = Object.hasOwn(routes, route) ? routes[route] : undefined;
      if (!handle) throw new Failure(404, "no such route");
      body = await handle(request, url);
    } catch (error) {
      status = error instanceof Failure ? error.status : 500;
      body = { error: error instanceof Failure ? error.message : "internal error" };
      if (status === 500) log({ level: "error", route, error: String(error.stack ?? error) });
    }
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(JSON.stringify(body));
    const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
    log({ level: "info", route, status, milliseconds, trace: request.headers.traceparent ?? "" });
  });
  return { server, state };
}
