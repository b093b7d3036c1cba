/** A step's answer in a word and a sign: for the gutter, the headline and the live region. */

import type { Exchange, Step } from "portcullis-wasm";

export interface Verdict {
  kind: "allowed" | "denied" | "neutral";
  sign: "✓" | "✗" | "–";
  /** `200`, `yes`, `exit 1`. */
  word: string;
}

const allowed = (word: string): Verdict => ({ kind: "allowed", sign: "✓", word });
const denied = (word: string): Verdict => ({ kind: "denied", sign: "✗", word });

/** What a step comes down to: the answer of its last request, or of a review. */
export function ofStep(step: Step): Verdict {
  if (/\bauth\s+can-i\b/.test(step.command) && /^(yes|no)\b/.test(step.output)) {
    return step.output.startsWith("yes") ? allowed("yes") : denied("no");
  }
  const decisive = step.exchanges[decisiveExchange(step)];
  if (decisive) return ofExchange(decisive);
  return step.status === 0 ? { kind: "neutral", sign: "–", word: "" } : denied(`exit ${step.status}`);
}

export function ofExchange(exchange: Exchange): Verdict {
  const { status } = exchange.response;
  return status < 400 ? allowed(String(status)) : denied(String(status));
}

/** The exchange to look at first: the first that went wrong, or the last. */
export function decisiveExchange(step: Step): number {
  const wrong = step.exchanges.findIndex((exchange) => exchange.response.status >= 400);
  return wrong >= 0 ? wrong : step.exchanges.length - 1;
}
