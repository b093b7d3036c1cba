/** What the page has to say: one message at a time, with what one can do about it. */

import { byId, element } from "./dom.ts";

/** A message with what one can do about it; the next one takes its place. */
export function notice(message: string, actions: Record<string, () => void> = {}): void {
  // The keyboard goes back to where it was: what it stands on in here goes with the message.
  const before = document.activeElement instanceof HTMLElement && !byId("notice").contains(document.activeElement) ? document.activeElement : byId("share");
  const close = () => {
    const inside = byId("notice").contains(document.activeElement);
    silence();
    if (inside) before.focus();
  };
  const buttons = Object.entries(actions).map(([name, act]) =>
    element("button", { type: "button", click: () => (close(), act()) }, name),
  );
  const dismiss = element("button", { type: "button", class: "quiet", "aria-label": "Dismiss", click: close }, "×");
  byId("notice").replaceChildren(element("p", {}, message), ...buttons, dismiss);
  byId("notice").onkeydown = (event) => {
    if (event.key === "Escape") close();
  };
  // Who pressed a button is asked something: the answers are next.
  if (before === document.activeElement && before instanceof HTMLButtonElement) buttons[0]?.focus();
}

/** The message is true no longer. */
export function silence(): void {
  byId("notice").replaceChildren();
}
