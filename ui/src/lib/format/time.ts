/** Instants as people read them: the viewer's zone in view, UTC on hover. */

const two = (value: number): string => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `22:04:17.482`; with its day when that is not today's: `Nov 21 22:04:17`, `2024-11-21 22:04`. */
export function rowTime(iso: string, now: Date): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  const seconds = `${minutes}:${two(date.getSeconds())}`;
  if (date.getFullYear() !== now.getFullYear()) {
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${minutes}`;
  }
  if (date.getMonth() !== now.getMonth() || date.getDate() !== now.getDate()) {
    return `${MONTHS[date.getMonth()] ?? ""} ${two(date.getDate())} ${seconds}`;
  }
  return `${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `2026-11-23 22:04:17.482 UTC+1`, for a heading. */
export function fullTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")} ${zoneName(date)}`;
}

/** `2026-11-23 21:04:17.482000 UTC`, exact. */
export function utcTime(iso: string): string {
  return iso.replace("T", " ").replace(/Z$/, " UTC");
}

function zoneName(date: Date): string {
  const offset = -date.getTimezoneOffset();
  if (offset === 0) return "UTC";
  const minutes = Math.abs(offset) % 60;
  const hours = Math.floor(Math.abs(offset) / 60);
  return `UTC${offset < 0 ? "−" : "+"}${hours}${minutes ? `:${two(minutes)}` : ""}`;
}

/** `now`, `40 s`, `12 min`, `3 h`, `5 d`: how long ago, or how long. */
export function shortSpan(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function age(iso: string, now: number): string {
  const milliseconds = now - Date.parse(iso);
  if (Number.isNaN(milliseconds)) return "";
  return milliseconds < 5_000 ? "now" : shortSpan(milliseconds);
}
