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

/** What a step comes down to: the answer to its decisive request. */
export function ofStep(step: Step): Verdict {
  const decisive = step.exchanges[decisiveExchange(step)];
  if (decisive) return ofExchange(decisive);
  return step.status === 0 ? { kind: "neutral", sign: "–", word: "" } : denied(`exit ${step.status}`);
}

/** A review's answer, or else the status. */
export function ofExchange({ response, review }: Exchange): Verdict {
  if (review) return review.authorization.verdict === "Allow" ? allowed("yes") : denied("no");
  return response.status < 400 ? allowed(String(response.status)) : denied(String(response.status));
}

/** The exchange to look at first: the first that went wrong, or the last. */
export function decisiveExchange(step: Step): number {
  const wrong = step.exchanges.findIndex((exchange) => exchange.response.status >= 400);
  return wrong >= 0 ? wrong : step.exchanges.length - 1;
}
