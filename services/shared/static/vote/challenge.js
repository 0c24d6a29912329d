// Solves the server's proof of work in the background while the person reads; nobody is asked to do a puzzle.

import { call, Lost } from "./api.js";

const USABLE_MS = 8 * 60 * 1000;

// The base64 payload that `POST codes` and `POST ballots` take as `altcha`; rejects where the browser cannot.
export function solve(challenge, workerUrl) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerUrl);
    const end = (settle, value) => {
      worker.terminate();
      settle(value);
    };
    // It did not load: a line that is away, nearly always.
    worker.onerror = () => end(reject, new Lost("worker"));
    worker.onmessage = (message) => {
      const { solution, error } = message.data;
      if (error) end(reject, new Error(error));
      else end(resolve, btoa(JSON.stringify({ challenge, solution })));
    };
    worker.postMessage(challenge.parameters);
  });
}

// One solution ahead of time: begun when the page opens, used once, made anew when it has grown old.
export class Solutions {
  constructor(round, workerUrl) {
    this.round = round;
    this.workerUrl = workerUrl;
    this.waiting = null;
  }

  begin() {
    if (this.waiting && Date.now() - this.waiting.at < USABLE_MS) return;
    const solution = this.fresh();
    // A failure is told when the solution is taken, not as an unhandled rejection before.
    solution.catch(() => {});
    this.waiting = { at: Date.now(), solution };
  }

  async fresh() {
    const answer = await call("GET", `/rounds/${encodeURIComponent(this.round)}/challenge`);
    if (!answer.ok) throw Object.assign(new Error("refused"), { answer });
    return solve(answer.body, this.workerUrl);
  }

  take() {
    this.begin();
    const { solution } = this.waiting;
    this.waiting = null;
    return solution;
  }
}
