import { newServer } from "./server.js";

const port = Number(process.env.PORT ?? 3000);
const log = (entry) => console.log(JSON.stringify({ time: new Date().toISOString(), ...entry }));
const { server, state } = newServer({ key: process.env.API_KEY, log });
server.listen(port, () => log({ level: "info", message: `listening on port ${server.address().port}` }));

// The cluster stops sending requests once the service is not ready; those that are
// there are answered.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    state.ready = false;
    log({ level: "info", message: `${signal}: no new requests` });
    setTimeout(() => server.close(() => process.exit(0)), Number(process.env.DRAIN_SECONDS ?? 5) * 1000);
  });
}
