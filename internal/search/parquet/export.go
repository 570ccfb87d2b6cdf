package parquet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/trailhook/trailhook/internal/search"
)

// File is a Parquet file. Close removes it.
type File struct {
	*os.File
	Rows int

	folder string
}

// Close implements [io.Closer].
func (f *File) Close() error { return errors.Join(f.File.Close(), os.RemoveAll(f.folder)) }

// Export answers the search from the store as a file: of its messages, or of its
// table. Errors: those of [search.Search.Run], [ErrTooManyRows], [ErrTooLarge].
func (d *Folder) Export(ctx context.Context, store search.Store, s search.Search) (*File, error) {
	folder, err := os.MkdirTemp(d.path, "export-")
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	f, err := d.export(ctx, folder, store, s)
	if err != nil {
		os.RemoveAll(folder)
		if ctx.Err() != nil {
			err = context.Cause(ctx) // rather than how the engine puts it
		}
		return nil, fmt.Errorf("export: %w", err)
	}
	return f, nil
}

func (d *Folder) export(ctx context.Context, folder string, store search.Store, s search.Search) (*File, error) {
	engine, err := startEngine(ctx, folder, d.memory)
	if err != nil {
		return nil, err
	}
	defer engine.close()
	var size int
	if s.Query.Aggregates() {
		err = d.table(ctx, engine, store, s)
	} else {
		size, err = d.messages(ctx, engine, store, s)
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "rows.parquet")
	if err := engine.copyTo(ctx, path, size); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &File{File: file, Rows: engine.count, folder: folder}, nil
}

// messages puts messages into the engine as they are found, and returns about how
// many bytes they have.
func (d *Folder) messages(ctx context.Context, e *engine, store search.Store, s search.Search) (size int, err error) {
	if err := e.create(ctx, messageColumns()); err != nil {
		return 0, err
	}
	m := newMessageRow()
	_, err = s.Run(ctx, store, func(f search.Found) error {
		if e.count == d.maxRows {
			return ErrTooManyRows
		}
		if size += f.Size(); size > d.maxBytes {
			return ErrTooLarge
		}
		message := f.Message()
		return e.append(m.values(&message))
	})
	return size, err
}

// table puts the rows of a table, which the search holds as a whole, into the
// engine.
func (d *Folder) table(ctx context.Context, e *engine, store search.Store, s search.Search) error {
	table, err := s.Run(ctx, store, nil)
	if err != nil {
		return err
	}
	if len(table.Rows) > d.maxRows {
		return ErrTooManyRows
	}
	columns := tableColumns(table)
	if err := e.create(ctx, columns); err != nil {
		return err
	}
	for _, row := range table.Rows {
		if err := e.append(tableRow(columns, row)); err != nil {
			return err
		}
	}
	return nil
}
