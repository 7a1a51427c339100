package ui

import (
	"io"
	"strings"
	"unicode/utf8"
)

const tableGap = "  "

// Table is text in columns. The zero Table has no header.
type Table struct {
	header []string
	rows   [][]string
}

// NewTable starts a table with the titles of its columns.
func NewTable(header ...string) *Table { return &Table{header: header} }

// Row adds a row. Cells are cleaned (Clean); missing ones are empty.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = Clean(cell)
	}
	t.rows = append(t.rows, row)
}

// Write writes the table. Where it does not fit into width (0: it always does) the widest columns are cut, and none to
// less than eight characters.
func (t *Table) Write(w io.Writer, width int) error {
	all := t.rows
	if len(t.header) > 0 {
		all = append([][]string{t.header}, t.rows...)
	}
	widths := fit(columnWidths(all), width)
	var text strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString(tableGap)
			}
			cell = Cut(cell, widths[i])
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func columnWidths(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func fit(widths []int, limit int) []int {
	const least = 8
	if limit <= 0 || len(widths) == 0 {
		return widths
	}
	total := len(tableGap) * (len(widths) - 1)
	for _, width := range widths {
		total += width
	}
	for ; total > limit; total-- {
		widest := 0
		for i, width := range widths {
			if width > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= least {
			break
		}
		widths[widest]--
	}
	return widths
}
