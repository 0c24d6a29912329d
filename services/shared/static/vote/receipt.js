// The receipt as a picture that a long press saves. WeChat saves pictures that have an address on a server only: the one
// drawn here is shown until the server's has come, and stays where it does not come.

import { backoffMs, call, pauseUntilOnline } from "./api.js";

const TRIES_MAX = 5;

const WIDTH = 720;
const HEIGHT = 760;
const FONT = '"PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif';

export function grouped(receipt) {
  return receipt.match(/.{1,4}/g).join("-");
}

// Chinese breaks anywhere, other writing between words.
function lines(context, text, width) {
  const rows = [""];
  for (const part of text.match(/[\u2e80-\uffff]|[^\s\u2e80-\uffff]+\s*|\s+/g)) {
    const last = rows[rows.length - 1];
    if (last && context.measureText((last + part).trim()).width > width) rows.push(part);
    else rows[rows.length - 1] = last + part;
  }
  return rows;
}

// A PNG as a data URL.
function picture({ receipt, title, recordedAt, texts }) {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  let y = 0;
  const write = (text, size, colour, gap, weight = "400") => {
    context.font = `${weight} ${size}px ${FONT}`;
    context.fillStyle = colour;
    for (const row of lines(context, text, WIDTH - 96)) {
      y += size * 1.45;
      context.fillText(row.trim(), WIDTH / 2, y);
    }
    y += gap;
  };
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = "#0b5d57";
  context.fillRect(0, 0, WIDTH, 14);
  context.textAlign = "center";
  y = 40;
  write(texts.picture_title, 48, "#16241f", 8, "700");
  write(title, 30, "#465852", 36);
  const code = grouped(receipt);
  context.strokeStyle = "#0b5d57";
  context.lineWidth = 3;
  context.setLineDash([12, 8]);
  context.strokeRect(48, y, WIDTH - 96, 190);
  y += 26;
  write(code.slice(0, 14), 44, "#07433f", 0, "700");
  write(code.slice(15), 44, "#07433f", 52, "700");
  write(`${texts.picture_time} ${recordedAt}`, 28, "#16241f", 34);
  write(texts.picture_right, 34, "#ad2a1f", 4, "700");
  write(texts.picture_secret, 28, "#16241f", 34);
  write(`${texts.picture_check} ${location.origin}/receipts`, 26, "#465852", 0);
  return canvas.toDataURL("image/png");
}

// In `image`: at once what is drawn here, then the same from an address that says nothing of the receipt.
export async function showPicture(image, receipt, about) {
  image.src = picture(about);
  for (let attempt = 1; attempt <= TRIES_MAX; attempt += 1) {
    const answer = await call("POST", "/receipts/pictures", { receipt }).catch(() => null);
    if (answer && answer.ok && (await loaded(answer.body.picture))) {
      image.src = answer.body.picture;
      return;
    }
    await pauseUntilOnline(backoffMs(attempt));
  }
}

function loaded(address) {
  return new Promise((resolve) => {
    const probe = new Image();
    probe.onload = () => resolve(true);
    probe.onerror = () => resolve(false);
    probe.src = address;
  });
}
