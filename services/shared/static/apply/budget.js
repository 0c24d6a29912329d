// The budget as it is typed: amounts brought to plain digits, the lines' sum beside the total. Cents are whole numbers.

const PLAIN = /^\d{1,10}(\.\d{1,2})?$/;

/** Full-width digits, thousands separators and the unit are what people write; the form wants plain digits. */
export function plainAmount(text) {
  return text.normalize("NFKC").replace(/[\s,，¥元]/g, "").replace(/。/g, ".");
}

function cents(text) {
  if (!PLAIN.test(text)) return null;
  const [whole, part = ""] = text.split(".");
  return Number(whole) * 100 + Number(part.padEnd(2, "0"));
}

const yuan = (value) => `${Math.floor(value / 100)}.${String(value % 100).padStart(2, "0")}`;

function sumOf(form) {
  const typed = [...form.querySelectorAll('[data-key="amount"]')].map((field) => plainAmount(field.value)).filter(Boolean);
  const amounts = typed.map(cents);
  return amounts.includes(null) ? null : amounts.reduce((sum, each) => sum + each, 0);
}

/** Show the sum now and whenever something is typed; fill the total with it when asked. */
export function bindBudget(form, words) {
  const place = document.getElementById("sum");
  if (!place) return;
  const total = form.querySelector("#budget_total");
  const show = () => {
    const sum = sumOf(form);
    if (sum === null) {
      place.textContent = words.sum_unknown;
      return;
    }
    const given = cents(plainAmount(total.value));
    const off = given === null ? null : given - sum;
    const said = [words.sum.replace("{sum}", yuan(sum))];
    if (off === 0) said.push(words.sum_same);
    else if (off !== null) said.push((off < 0 ? words.sum_less : words.sum_more).replace("{n}", yuan(Math.abs(off))));
    place.textContent = said.join(" · ");
  };
  form.addEventListener("input", show);
  form.addEventListener("filled", show);
  form.addEventListener("change", (event) => {
    if (!("amount" in event.target.dataset) || event.target.value === plainAmount(event.target.value)) return;
    event.target.value = plainAmount(event.target.value);
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const fill = document.getElementById("fill-total");
  if (fill) fill.addEventListener("click", () => {
    const sum = sumOf(form);
    if (sum === null) return;
    total.value = yuan(sum);
    total.dispatchEvent(new Event("input", { bubbles: true }));
  });
  show();
}
