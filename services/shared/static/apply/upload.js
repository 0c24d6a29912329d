// Files of an application: told at once where they are too large, sent with progress, refusals in words beside the form.

import { Refused, authorization, problem, refused } from "../desk.js";

const MEGABYTE = 1 << 20;
const words = JSON.parse(document.getElementById("application").dataset.words);

function tooLarge(form, file) {
  const most = Number(form.dataset.bytesMax);
  if (file.size <= most) return false;
  const size = (file.size / MEGABYTE).toFixed(1);
  problem(form, words.large.replace("{size}", size).replace("{max}", Math.floor(most / MEGABYTE)));
  return true;
}

/** POST a form with its file; `told(share)` hears how much has gone. Raises Refused. */
function post(path, body, bearer, told) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("authorization", bearer);
    request.upload.onprogress = (event) => { if (event.lengthComputable) told(event.loaded / event.total); };
    request.onerror = () => reject(new Error("unreachable"));
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch (error) { answer = {}; }
      if (request.status < 300) resolve(answer);
      else reject(new Refused(request.status, answer));
    };
    request.send(body);
  });
}

async function send(form) {
  const bar = form.querySelector("progress");
  const button = form.querySelector("button[type=submit]");
  const label = button.textContent;
  const body = new FormData(form);
  problem(form, "");
  button.disabled = true;
  bar.hidden = false;
  try {
    await post(form.dataset.upload, body, await authorization(), (share) => {
      bar.value = Math.round(share * 100);
      button.textContent = share < 1 ? words.uploading.replace("{n}", bar.value) : words.checking;
    });
    location.reload();
  } catch (error) {
    refused(form, error);
  } finally {
    button.disabled = false;
    button.textContent = label;
    bar.hidden = true;
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.upload) return;
  event.preventDefault();
  const [file] = event.target.elements.file.files;
  if (file && !tooLarge(event.target, file)) send(event.target);
});

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (event.target.type !== "file" || !form || !form.dataset.upload || !event.target.files.length) return;
  problem(form, "");
  tooLarge(form, event.target.files[0]);
});
