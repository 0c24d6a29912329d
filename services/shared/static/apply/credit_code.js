// The check character of a unified social credit code (GB 32100-2015), told while it is typed; the server checks again.

const ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY";
const LENGTH = 18;

export const plainCode = (text) => text.normalize("NFKC").replace(/\s/g, "").toUpperCase();

/** What there is to say of a code, in the page's words; `good` where it is right. */
export function judged(text, words) {
  const code = plainCode(text);
  const strange = [...new Set([...code].filter((letter) => !ALPHABET.includes(letter)))];
  if (!code) return { good: false, text: "" };
  if (strange.length) return { good: false, wrong: true, text: words.code_letters.replace("{letters}", strange.join(" ")) };
  if (code.length < LENGTH) return { good: false, text: words.code_short.replace("{n}", LENGTH - code.length) };
  if (code.length > LENGTH) return { good: false, wrong: true, text: words.code_long.replace("{n}", code.length - LENGTH) };
  let total = 0;
  let weight = 1;
  for (const letter of code.slice(0, -1)) {
    total += ALPHABET.indexOf(letter) * weight;
    weight = (weight * 3) % 31;
  }
  const good = ALPHABET[(31 - (total % 31)) % 31] === code[LENGTH - 1];
  return { good, wrong: !good, text: good ? words.code_good : words.code_bad };
}

/** Say it beside the field; `say(field, verdict)` knows where. The code is written plainly when the field is left. */
export function bindCreditCodes(form, words, say) {
  const wanted = (event) => "creditCode" in event.target.dataset;
  form.addEventListener("input", (event) => {
    if (wanted(event)) say(event.target, judged(event.target.value, words));
  });
  form.addEventListener("change", (event) => {
    if (!wanted(event) || event.target.value === plainCode(event.target.value)) return;
    event.target.value = plainCode(event.target.value);
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
