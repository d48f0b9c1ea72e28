import { Checkbox, Popover } from "@mantine/core";
import { COLUMNS, DEFAULT_COLUMNS } from "@/components/EventTable/columns";

/** Which columns the table shows. */
export function ColumnMenu({ chosen, onChange }: { chosen: readonly string[]; onChange: (columns: string) => void }) {
  const set = (id: string, isOn: boolean) => {
    const ids = COLUMNS.map((column) => column.id).filter((each) => (each === id ? isOn : chosen.includes(each)));
    onChange(ids.length > 0 ? ids.join(",") : DEFAULT_COLUMNS);
  };
  return (
    <Popover position="bottom-end" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <button type="button" className="button columns-button">
          Columns
        </button>
      </Popover.Target>
      <Popover.Dropdown className="popover">
        <fieldset className="column-menu">
          <legend className="visually-hidden">Columns</legend>
          {COLUMNS.map((column) => (
            <Checkbox
              key={column.id}
              size="xs"
              label={column.title}
              checked={chosen.includes(column.id)}
              onChange={(event) => set(column.id, event.currentTarget.checked)}
            />
          ))}
        </fieldset>
        <button type="button" className="link" onClick={() => onChange(DEFAULT_COLUMNS)}>
          The usual ones
        </button>
      </Popover.Dropdown>
    </Popover>
  );
}
