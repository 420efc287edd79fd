// The dashboard sink's HTTP interface with made-up customers, for work on the page without an agent:
//
//   node dev-server.mjs [--port 3031] [--customers 200] [--folder dist] [--input FILE] [--token TOKEN]
//
// --input follows a file of JSON lines in the wire format instead of making readings up.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Board } from "./dev-board.mjs";

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "3031" }, customers: { type: "string", default: "200" },
    folder: { type: "string", default: new URL("dist", import.meta.url).pathname },
    input: { type: "string" }, token: { type: "string" },
  },
});
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };
const HEADERS = {
  "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
  "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
};
const board = new Board();
const viewers = new Set();

/** A person whose heart rate wanders, with episodes now and then; `rate(seconds)` is called once a second. */
class Person {
  constructor(number) {
    this.id = `cust_${String(number).padStart(5, "0")}`;
    this.base = 58 + Math.random() * 30;
    this.wander = 0;
    this.quick = 0;
    this.lift = 0;
    this.episode = null;
    this.offset = number / Number(options.customers);
    this.silentUntil = 0;
  }

  rate(now) {
    this.wander += -this.wander / 300 + (Math.random() - 0.5) * 1.4;
    this.quick += -this.quick / 6 + (Math.random() - 0.5) * 2.4;
    if (!this.episode && Math.random() < 1 / 4000) {
      const kind = Math.random();
      this.episode = { until: now + 40 + Math.random() * 240, lift: kind < 0.25 ? 42 - this.base : kind < 0.6 ? 140 - this.base : 35 };
    }
    if (this.episode && now > this.episode.until) this.episode = null;
    this.lift += ((this.episode?.lift ?? 0) - this.lift) / 9;
    if (Math.random() < 1 / 20_000) this.silentUntil = now + 15 + Math.random() * 200;
    const spike = Math.random() < 1 / 3000 ? 45 : 0;
    if (now < this.silentUntil) return null;
    return Math.round(Math.max(30, Math.min(220, this.base + this.wander + this.quick + this.lift + spike)));
  }
}

function makeUp() {
  const people = Array.from({ length: Number(options.customers) }, (_, number) => new Person(number));
  const give = (person, second, received) => {
    const value = person.rate(second);
    if (value !== null) board.add(person.id, (second + person.offset) * 1000, value, received);
  };
  const start = Math.floor(Date.now() / 1000);
  for (let second = start - 900; second < start; second++) for (const person of people) give(person, second, null);
  board.readings = 0;
  board.alerts.length = Math.min(board.alerts.length, 50);
  let second = start;
  let next = 0;
  setInterval(() => {
    const now = Date.now();
    while ((second + people[next].offset) * 1000 <= now) {
      give(people[next], second, now);
      if (++next === people.length) {
        next = 0;
        second += 1;
      }
    }
  }, 20);
}

async function follow(path) {
  const file = await open(path, "r");
  let rest = "";
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(65536), 0, 65536, null);
    const lines = (rest + buffer.toString("utf8", 0, bytesRead)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const reading = JSON.parse(line);
      board.add(reading.customer_id, Date.parse(reading.time), reading.heart_rate, Date.now());
    }
    if (bytesRead === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function send(response, status, body, headers = {}) {
  response.writeHead(status, { ...HEADERS, "Content-Type": "application/json", ...headers });
  response.end(typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function stream(response) {
  response.writeHead(200, { ...HEADERS, "Content-Type": "text/event-stream" });
  response.write("retry: 2000\n\n");
  response.write(`event: snapshot\ndata: ${JSON.stringify(board.snapshot())}\n\n`);
  viewers.add(response);
  response.on("close", () => viewers.delete(response));
}

function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  const query = url.searchParams;
  if (options.token) {
    if (url.pathname === "/" && query.get("token") === options.token) {
      return send(response, 303, "", { Location: "./", "Set-Cookie": `hbagent_dashboard=${options.token}; HttpOnly; SameSite=Lax` });
    }
    if (!(request.headers.cookie ?? "").includes(`hbagent_dashboard=${options.token}`) && url.pathname.startsWith("/api")) {
      return send(response, 401, { error: "a token is needed" });
    }
  }
  if (url.pathname === "/api/v1/stream") return stream(response);
  if (url.pathname === "/api/v1/snapshot") return send(response, 200, board.snapshot());
  if (url.pathname === "/api/v1/history") return send(response, 200, board.history(query.getAll("customer"), query.get("since_s")));
  if (url.pathname === "/api/v1/customers") {
    return send(response, 200, board.search(query.get("q") ?? "", query.get("status") ?? "all", Number(query.get("limit") ?? 60)));
  }
  const name = url.pathname === "/" ? "index.html" : url.pathname.slice(1);
  if (!/^[a-z]+\.(html|js|css|svg)$/.test(name)) return send(response, 404, { error: "there is no such page" });
  try {
    send(response, 200, readFileSync(join(options.folder, name)), { "Content-Type": TYPES[name.split(".")[1]] });
  } catch {
    send(response, 404, { error: "there is no such page" });
  }
}

if (options.input) follow(options.input);
else makeUp();
setInterval(() => {
  if (!viewers.size) return;
  const event = `event: snapshot\ndata: ${JSON.stringify(board.snapshot())}\n\n`;
  for (const viewer of viewers) viewer.write(event);
}, 500);
createServer(answer).listen(Number(options.port), "127.0.0.1", () => console.log(`http://127.0.0.1:${options.port}/`));
