import "./Shell.css";
import type { ReactNode } from "react";
import { Link, useRoute } from "wouter";
import { ConnectionBanner } from "./ConnectionBanner";
import { Logo } from "./Logo";
import { StatusFooter } from "./StatusFooter";
import { ThemeSwitch } from "./ThemeSwitch";

/** Pages that exist. */
const PAGES = [{ path: "/live", title: "Live" }] as const;

/** What surrounds every page: the way to the others, how Vedette is, and whether it can be reached. */
export function Shell({ children }: { children: ReactNode }) {
  return (
    <div className="shell">
      <nav className="sidebar" aria-label="Pages">
        <Link href="/live" className="logo" aria-label="Vedette">
          <Logo />
          <span>Vedette</span>
        </Link>
        <ul className="sidebar__pages">
          {PAGES.map((page) => (
            <li key={page.path}>
              <PageLink {...page} />
            </li>
          ))}
        </ul>
        <div className="sidebar__foot">
          <StatusFooter />
          <ThemeSwitch />
        </div>
      </nav>
      <div className="shell__page">
        <ConnectionBanner />
        {children}
      </div>
    </div>
  );
}

function PageLink({ path, title }: { path: string; title: string }) {
  const [isHere] = useRoute(path);
  return (
    <Link href={path} className="sidebar__link" aria-current={isHere ? "page" : undefined}>
      {title}
    </Link>
  );
}
