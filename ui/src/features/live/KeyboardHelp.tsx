import { Modal } from "@mantine/core";

const KEYS: readonly (readonly [keys: string[], meaning: string])[] = [
  [["j", "↓"], "next event"],
  [["k", "↑"], "previous event"],
  [["Enter"], "open the event in view"],
  [["Esc"], "close the detail, then follow the stream again"],
  [["Space"], "pause and continue"],
  [["g"], "to the newest event"],
  [["/"], "write a filter"],
  [["f"], "findings"],
  [["s"], "sources"],
  [["?"], "this help"],
];

const QUERIES: readonly (readonly [query: string, meaning: string])[] = [
  ["severity>=7", "dangerous"],
  ['"failed password"', "words in the text"],
  ["user.name:root -source.ip:10.0.0.0/8", "root, but not from inside"],
  ["process.name:(sshd OR sudo)", "either"],
  ["message:*timeout*", "a pattern"],
];

/** Keys and the query grammar, on one card. */
export function KeyboardHelp({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Keyboard and filters"
      size={780}
      lockScroll={false}
      closeButtonProps={{ "aria-label": "Close" }}
      classNames={{ content: "help", header: "help__head" }}
    >
      <div className="help__columns">
        <table>
          <caption>Keys</caption>
          <tbody>
            {KEYS.map(([keys, meaning]) => (
              <tr key={meaning}>
                <th scope="row">
                  {keys.map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </th>
                <td>{meaning}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <table>
          <caption>Filters</caption>
          <tbody>
            {QUERIES.map(([query, meaning]) => (
              <tr key={query}>
                <th scope="row">
                  <code>{query}</code>
                </th>
                <td>{meaning}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Modal>
  );
}
