// Keeps the newest snapshot coming: by server-sent events, by polling where those fail, again and again by itself.

import { get, Unauthorized } from "./api.js";

const FAILURES_BEFORE_POLLING = 3;
const POLL_MS = 2000;
const STREAM_AGAIN_MS = 30_000; // while polling: how often the stream is tried
const SILENCE_MS = 10_000; // a stream without an event for so long is taken to be dead
const BACKOFF_MS = [1000, 2000, 2000, 4000];

export class Connection {
  /** "connecting" | "live" | "polling" | "waiting" (for the next try) | "refused" (the token is missing) */
  state = "connecting";
  /** performance.now() of the newest snapshot, or -Infinity. */
  receivedAt = -Infinity;
  /** performance.now() of the next try while waiting or refused. */
  retryAt = 0;

  #failures = 0;
  #stream = null;
  #timer = 0;
  #asking = false; // why the stream failed
  #streamTriedAt = 0;
  #onSnapshot;
  #onState;

  /** @param {(snapshot: any) => void} onSnapshot @param {() => void} onState */
  constructor(onSnapshot, onState) {
    this.#onSnapshot = onSnapshot;
    this.#onState = onState;
    this.#openStream();
    addEventListener("online", () => this.#tryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.#tryNow());
  }

  /** Called about once a second: a stream that has gone silent gives no error of its own. */
  watch() {
    const since = Math.max(this.receivedAt, this.#streamTriedAt);
    if (this.#stream && performance.now() - since > SILENCE_MS) this.#failed();
  }

  #set(state) {
    if (this.state === state) return;
    this.state = state;
    this.#onState();
  }

  #tryNow() {
    if (this.state === "waiting" && !this.#asking) this.#next(0);
  }

  #next(delay) {
    clearTimeout(this.#timer);
    this.retryAt = performance.now() + delay;
    this.#timer = setTimeout(() => (this.#failures < FAILURES_BEFORE_POLLING ? this.#openStream() : this.#poll()), delay);
  }

  #openStream() {
    this.#streamTriedAt = performance.now();
    const stream = new EventSource("api/v1/stream");
    this.#stream = stream;
    stream.addEventListener("snapshot", (event) => {
      if (this.#stream !== stream) return;
      this.#failures = 0;
      this.#take(JSON.parse(event.data), "live");
    });
    stream.onerror = () => this.#stream === stream && this.#failed();
  }

  #closeStream() {
    this.#stream?.close();
    this.#stream = null;
  }

  #take(snapshot, state) {
    this.receivedAt = performance.now();
    this.#set(state);
    this.#onSnapshot(snapshot);
  }

  async #failed() {
    this.#closeStream();
    this.#failures += 1;
    this.#asking = true;
    const refused = await isRefused(); // first: a state that is taken back at once would be announced each time
    this.#asking = false;
    if (refused) this.#refuse();
    else this.#wait();
  }

  #wait() {
    const delay = BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length) - 1];
    this.#next(this.#failures === FAILURES_BEFORE_POLLING ? 0 : delay);
    this.#set("waiting");
    this.#onState(); // the countdown begins anew
  }

  #refuse() {
    this.#closeStream();
    this.#failures = 0;
    this.#next(BACKOFF_MS[4]);
    this.#set("refused");
  }

  async #poll() {
    const wasPolling = this.state === "polling";
    let snapshot;
    try {
      snapshot = await get("snapshot");
    } catch (error) {
      if (error instanceof Unauthorized) return this.#refuse();
      this.#failures += 1;
      return this.#wait();
    }
    this.#failures = FAILURES_BEFORE_POLLING;
    this.#take(snapshot, "polling");
    this.#next(POLL_MS);
    // The agent is back, or a proxy may let the stream through by now: polling goes on until the stream delivers.
    if (!wasPolling || performance.now() - this.#streamTriedAt > STREAM_AGAIN_MS) this.#probeStream();
  }

  #probeStream() {
    this.#streamTriedAt = performance.now();
    const probe = new EventSource("api/v1/stream");
    const giveUp = setTimeout(() => probe.close(), SILENCE_MS);
    probe.onerror = () => {
      clearTimeout(giveUp);
      probe.close();
    };
    probe.addEventListener("snapshot", () => {
      clearTimeout(giveUp);
      probe.close();
      if (this.state !== "polling") return;
      clearTimeout(this.#timer);
      this.#failures = 0;
      this.#openStream();
    }, { once: true });
  }
}

/** An EventSource does not tell why it failed: a plain request does. */
async function isRefused() {
  try {
    await get("snapshot", [], AbortSignal.timeout(3000));
    return false;
  } catch (error) {
    return error instanceof Unauthorized;
  }
}
