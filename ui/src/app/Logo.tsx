/** A sentry's eye: watchful, with a blade for a pupil. */
export function Logo() {
  return (
    <svg className="logo__sign" viewBox="0 0 32 32" aria-hidden="true">
      <path
        d="M3 16C6.8 9.5 11.2 6.4 16 6.4S25.2 9.5 29 16C25.2 22.5 20.8 25.6 16 25.6S6.8 22.5 3 16Z"
        fill="none"
        stroke="var(--accent)"
        strokeWidth="2.4"
        strokeLinejoin="round"
      />
      <path d="M16 10.4 20.4 16 16 21.6 11.6 16Z" fill="var(--accent)" />
    </svg>
  );
}
