// What a person declares before any way of signing in; the boxes and the district are fields of vote.html.

import { $, texts } from "./page.js";

// As every form of a sign-in takes it; `version` is that of the privacy notice.
export function declared(version) {
  const form = { consent: version, adult: $("age").checked };
  if ($("id-consent")) form.consent_id = $("id-consent").checked ? version : "";
  if ($("district")) form.district = $("district").value.trim();
  return form;
}

// Whether everything is agreed to; what is missing is told at the boxes and gets the focus.
export function agreed() {
  const both = $("consent").checked && $("age").checked;
  const separately = !$("id-consent") || $("id-consent").checked;
  $("consent-error").textContent = both ? (separately ? "" : texts.id_consent) : texts.consent;
  if (!both) ($("consent").checked ? $("age") : $("consent")).focus();
  else if (!separately) $("id-consent").focus();
  return both && separately;
}
