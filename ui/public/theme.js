// Runs before the first paint, so that the page never flashes in the other theme. The key is Mantine's own.
{
  const chosen = () => {
    try {
      return localStorage.getItem("mantine-color-scheme-value") || "auto";
    } catch {
      return "auto";
    }
  };
  const scheme = chosen() === "auto" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : chosen();
  document.documentElement.dataset.mantineColorScheme = scheme;
}
