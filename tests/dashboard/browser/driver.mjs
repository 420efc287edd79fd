// Drives one Chromium page for tests/dashboard/browser.py: a JSON object a line on standard input, an answer a line on
// standard output. {"do": "goto", ...} -> {"value": ...} or {"error": "..."}. Ends, with the browser, at the end of input.
import { createInterface } from "node:readline";
import axe from "axe-core";
import { chromium } from "playwright-core";

const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: QUIET });
let page = /** @type {any} */ (null);
let seen = { console: [], errors: [], requests: [] };

const actions = {
  /** A new page with clean records; requests that match `block` fail; alerts in polled snapshots get `alertTime`. */
  async open({ url, width = 1440, height = 900, scheme = "light", motion = "no-preference", block, alertTime }) {
    await page?.context().close();
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: motion });
    page = await context.newPage();
    if (block) await page.route(block, (route) => route.abort());
    if (alertTime !== undefined) {
      await page.route("**/api/v1/snapshot", async (route) => {
        const response = await route.fetch();
        const snapshot = await response.json();
        for (const alert of snapshot.alerts) alert.time_ms = alertTime;
        await route.fulfill({ response, json: snapshot });
      });
    }
    seen = { console: [], errors: [], requests: [] };
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.console.push(message.text()));
    page.on("pageerror", (error) => seen.errors.push(String(error)));
    page.on("request", (request) => seen.requests.push(request.url()));
    await page.goto(url, { waitUntil: "load" });
  },
  cookie_paths: async () => (await page.context().cookies(page.url())).map(({ path }) => path),
  forget_cookies: () => page.context().clearCookies(),
  goto: ({ url }) => page.goto(url).then(() => null),
  resize: ({ width, height }) => page.setViewportSize({ width, height }),
  /** The value of a JavaScript expression in the page. */
  evaluate: ({ expression }) => page.evaluate(expression),
  /** Waits until the expression is true. (Playwright's own waiting needs eval, which the page's policy forbids.) */
  async wait({ expression, timeout = 10 }) {
    const end = performance.now() + timeout * 1000;
    let last;
    do {
      last = await page.evaluate(expression).catch(String); // a throw, such as on what is not there yet, counts as "not yet"
      if (last === true) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } while (performance.now() < end);
    throw new Error(`waited ${timeout} s; last: ${JSON.stringify(last)}`);
  },
  click: ({ selector }) => page.click(selector, { timeout: 5000 }),
  hover: ({ selector }) => page.hover(selector, { timeout: 5000 }),
  fill: ({ selector, text }) => page.fill(selector, text, { timeout: 5000 }),
  press: ({ key }) => page.keyboard.press(key),
  screenshot: ({ path, full = false }) => page.screenshot({ path, fullPage: full }).then(() => null),
  seen: () => seen,
  /** axe-core's violations of WCAG 2.2 A and AA and of its best practices. */
  async axe() {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate("axe.run({ resultTypes: ['violations'] })");
    return violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`) }));
  },
  /** Seconds of the main thread's work in the next `seconds`. */
  async busy({ seconds }) {
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    const taken = async () => (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value;
    const before = await taken();
    await page.waitForTimeout(seconds * 1000);
    return (await taken()) - before;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: action, ...parameters } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await actions[action](parameters)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
