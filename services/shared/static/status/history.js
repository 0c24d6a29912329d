// What the status page remembers of one service: a minute and a half of what it told, for rates, quantiles and sparklines.

const KEPT_MS = 90000;
const WITHIN_MS = 60000;

export class History {
  constructor() {
    this.told = [];
  }

  add(status) {
    const at = Date.parse(status.at);
    const last = this.told[this.told.length - 1];
    if (last && last.at >= at) return;
    this.told.push({ at, status });
    while (this.told[0].at < at - KEPT_MS) this.told.shift();
  }

  get newest() {
    return this.told.length ? this.told[this.told.length - 1].status : null;
  }

  // The oldest of the last minute, which differences are taken from.
  before() {
    const least = this.told[this.told.length - 1].at - WITHIN_MS;
    return this.told.find((each) => each.at >= least);
  }

  // How much a counter grew within the last minute; a worker that began anew makes it smaller, which is not less than none.
  grown(read) {
    return Math.max(0, (read(this.newest) || 0) - (read(this.before().status) || 0));
  }

  perSecond(read) {
    const seconds = (this.told[this.told.length - 1].at - this.before().at) / 1000;
    return seconds > 0 ? this.grown(read) / seconds : 0;
  }

  // The quantile of what was measured within the last minute, linear inside its bucket; null where nothing was.
  quantile(read, share) {
    const [now, then] = [read(this.newest), read(this.before().status)];
    if (!now || !then) return null;
    const known = new Map(then.buckets.map(([bound, count]) => [bound, count]));
    const counts = now.buckets.map(([bound, count]) => [bound, Math.max(0, count - (known.get(bound) || 0))]);
    const wanted = share * (counts.length ? counts[counts.length - 1][1] : 0);
    let [below, lower] = [0, 0];
    for (const [bound, count] of counts) {
      if (wanted > 0 && count >= wanted) {
        return bound === null ? lower : lower + (bound - lower) * ((wanted - below) / Math.max(count - below, 1e-9));
      }
      [below, lower] = [count, bound];
    }
    return null;
  }

  // The mean of the last minute; null where nothing was measured.
  mean(read) {
    const count = this.grown((status) => read(status) && read(status).count);
    return count ? this.grown((status) => read(status).sum) / count : null;
  }
}

/** The last values as a line in a small SVG without a scale; the number stands beside it. */
export function spark(place, values) {
  const most = Math.max(...values, 1e-9);
  const step = 120 / Math.max(values.length - 1, 1);
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${(26 - (value / most) * 24).toFixed(1)}`);
  const line = place.firstElementChild || place.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "polyline"));
  line.setAttribute("points", values.length > 1 ? points.join(" ") : "");
}
