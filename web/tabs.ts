/** Tabs after the ARIA pattern: one stop for Tab, arrow keys between them, the panel named by its tab. */

import { element } from "./dom.ts";

export interface Tab {
  name: string;
  panel: HTMLElement;
}

interface Made {
  button: HTMLButtonElement;
  badge: HTMLElement;
  panel: HTMLElement;
}

let made = 0;

function turn({ button, panel }: Made, on: boolean): void {
  button.setAttribute("aria-selected", String(on));
  button.tabIndex = on ? 0 : -1;
  panel.hidden = !on;
}

export class Tabs {
  readonly #list: HTMLElement;
  readonly #chosen: (index: number) => void;
  #tabs: Made[] = [];
  #current = -1;

  constructor(list: HTMLElement, chosen: (index: number) => void) {
    this.#list = list;
    this.#chosen = chosen;
    list.addEventListener("keydown", (event) => this.#key(event));
  }

  get current(): number {
    return this.#current;
  }

  set(tabs: Tab[]): void {
    this.#tabs = tabs.map(({ name, panel }, index) => {
      made += 1;
      const mark = element("span", { class: "badge" });
      const button = element(
        "button",
        { type: "button", role: "tab", id: `tab-${made}`, "aria-controls": `panel-${made}`, click: () => this.show(index) },
        name,
        mark,
      );
      panel.id = `panel-${made}`;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", button.id);
      const tab = { button, badge: mark, panel };
      turn(tab, false);
      return tab;
    });
    this.#list.replaceChildren(...this.#tabs.map(({ button }) => button));
    this.#current = -1;
  }

  /** `alarming` for what one should look at. */
  badge(index: number, text: string, alarming: boolean): void {
    const tab = this.#tabs[index];
    if (!tab || tab.badge.textContent === text) return;
    tab.badge.textContent = text;
    tab.badge.classList.toggle("denied", alarming);
  }

  show(index: number): void {
    const [before, tab] = [this.#tabs[this.#current], this.#tabs[index]];
    if (index === this.#current || !tab) return;
    this.#current = index;
    if (before) turn(before, false);
    turn(tab, true);
    this.#chosen(index);
  }

  /** Has the name of the tab that is shown typed anew; Escape leaves it as it was. */
  rename(renamed: (index: number, name: string) => void): void {
    const index = this.#current;
    const button = this.#tabs[index]?.button;
    if (!button) return;
    const before = button.firstChild?.textContent ?? "";
    const field = element("input", { type: "text", class: "name", "aria-label": `New name of ${before}`, value: before, size: String(before.length + 2) });
    let done = false;
    const end = (name: string) => {
      if (done) return;
      done = true;
      field.replaceWith(button);
      renamed(index, name);
      this.#tabs[this.#current]?.button.focus();
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") end(field.value);
      if (event.key === "Escape") end(before);
    });
    field.addEventListener("blur", () => end(field.value));
    button.replaceWith(field);
    field.focus();
    field.select();
  }

  #key(event: KeyboardEvent): void {
    const last = this.#tabs.length - 1;
    const to = { ArrowLeft: this.#current - 1, ArrowRight: this.#current + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.show((to + last + 1) % (last + 1));
    this.#tabs[this.#current]?.button.focus();
  }
}
