// "Vote for number 36": a number pad, because typing a number is quicker than scrolling.

import { chosenCards, fill, leftText } from "./rule.js";

export class NumberPad {
  constructor(facts, store, texts, changed) {
    this.byNumber = new Map(facts.candidates.map((card) => [card.number, card]));
    this.facts = facts;
    this.store = store;
    this.texts = texts;
    this.changed = changed;
    this.typed = "";
    this.panel = document.getElementById("pad");
    this.screen = document.getElementById("pad-screen");
    this.preview = document.getElementById("pad-preview");
    this.opener = document.getElementById("pad-open");
    this.opener.addEventListener("click", () => this.open());
    document.getElementById("pad-close").addEventListener("click", () => this.close());
    this.panel.addEventListener("click", (event) => this.clicked(event));
    this.panel.addEventListener("keydown", (event) => this.keyed(event));
  }

  open() {
    this.panel.hidden = false;
    document.body.classList.add("has-sheet");
    this.show("");
    this.list();
    document.getElementById("pad-close").focus();
  }

  close() {
    this.panel.hidden = true;
    document.body.classList.remove("has-sheet");
    this.opener.focus();
  }

  clicked(event) {
    const key = event.target.closest("[data-key]");
    if (key !== null) this.press(key.dataset.key);
    const drop = event.target.closest("[data-drop]");
    if (drop !== null) {
      this.changed(drop.dataset.drop);
      this.list();
    }
  }

  keyed(event) {
    if (event.key === "Escape") this.close();
    else if (/^\d$/.test(event.key)) this.press(event.key);
    else if (event.key === "Backspace") this.press("back");
    else if (event.key === "Enter" && this.typed) {
      event.preventDefault();
      this.press("pick");
    } else if (event.key === "Tab") this.keepFocus(event);
  }

  // The page behind the panel is not reachable while it is open.
  keepFocus(event) {
    const buttons = [...this.panel.querySelectorAll("button")];
    const last = buttons[buttons.length - 1];
    if (event.shiftKey && document.activeElement === buttons[0]) {
      event.preventDefault();
      last.focus();
    } else if (!event.shiftKey && document.activeElement === last) {
      event.preventDefault();
      buttons[0].focus();
    }
  }

  press(key) {
    if (key === "pick") this.pick();
    else if (key === "back") this.show(this.typed.slice(0, -1));
    else if (this.typed.length < 4) this.show(this.typed + key);
  }

  show(typed) {
    this.typed = typed.replace(/^0+/, "");
    this.screen.textContent = this.typed;
    if (!this.typed) return;
    const card = this.byNumber.get(Number(this.typed));
    this.preview.textContent = card ? `${card.title} · ${card.unit}` : fill(this.texts.unknown_number, { number: this.typed });
  }

  pick() {
    if (!this.typed) return;
    const number = Number(this.typed);
    const card = this.byNumber.get(number);
    if (!card) return;
    if (card.withdrawn_at) {
      this.preview.textContent = fill(this.texts.withdrawn, { number });
      return;
    }
    // Choosing twice is no un-choosing here: somebody who types a number wants it.
    if (!this.store.choices.includes(card.candidate)) this.changed(card.candidate);
    this.show("");
    this.preview.textContent = `${fill(this.texts.added, { number })}：${card.title}`;
    this.list();
  }

  list() {
    const place = document.getElementById("pad-chosen");
    place.textContent = "";
    const chosen = new Set(this.store.choices);
    const count = chosenCards(this.facts, this.store.choices).length;
    document.getElementById("pad-left").textContent = leftText(this.facts, count, this.texts);
    for (const card of this.byNumber.values()) {
      if (!chosen.has(card.candidate)) continue;
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.dataset.drop = card.candidate;
      button.textContent = `${card.number} ✕`;
      button.setAttribute("aria-label", `${fill(this.texts.drop, { number: card.number })} ${card.title}`);
      item.appendChild(button);
      place.appendChild(item);
    }
  }
}
