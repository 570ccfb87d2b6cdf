// Times in the reader's zone, with UTC on hover.

const two = (n) => String(n).padStart(2, "0");

export function localTime(date) {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (isNaN(date)) continue;
    time.textContent = time.dataset.show === "short" ? shortTime(date, time.dataset.span) : localTime(date);
  }
}

// shortTime is a label of an axis that spans so many seconds.
function shortTime(date, span) {
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  if (span <= 600) return `${clock}:${two(date.getSeconds())}`;
  if (span <= 86400) return clock;
  if (span <= 14 * 86400) return `${day} ${clock}`;
  return `${date.getFullYear()}-${day}`;
}

export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
