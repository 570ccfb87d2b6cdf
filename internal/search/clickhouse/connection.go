package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	engine "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// connection is a pool of connections.
type connection struct{ conn driver.Conn }

// oldest is the version of the server that Debian has, on which the tests run.
const (
	oldestMajor, oldestMinor = 18, 16
	modernMajor, modernMinor = 21, 1
)

func (a *Address) connect(ctx context.Context, connections int, timeout time.Duration) (*connection, *driver.ServerVersion, error) {
	options := a.pool(connections, timeout)
	conn, err := engine.Open(&options)
	if err != nil {
		return nil, nil, fmt.Errorf("address: %w", err)
	}
	if err := conn.Ping(ctx); err != nil {
		conn.Close()
		return nil, nil, a.explain(err)
	}
	version, err := conn.ServerVersion()
	if err != nil {
		conn.Close()
		return nil, nil, a.explain(err)
	}
	return &connection{conn}, version, nil
}

// Codes of the server's errors.
const (
	codeUnknownDatabase  = 81
	codeUnknownUser      = 192
	codeWrongPassword    = 193
	codePasswordRequired = 194
	codeAuthentication   = 516
)

// explain says what to do about a connection that failed.
func (a *Address) explain(err error) error {
	var refused *engine.Exception
	if !errors.As(err, &refused) {
		return fmt.Errorf("no answer: %w (is the server there, and is this its port for the native protocol, by custom 9000?)", err)
	}
	switch refused.Code {
	case codeUnknownDatabase:
		return fmt.Errorf("there is no database %q: make it with CREATE DATABASE: %w", a.options.Auth.Database, err)
	case codeUnknownUser, codeWrongPassword, codePasswordRequired, codeAuthentication:
		return fmt.Errorf("user %q is not let in: look at the user and the password in the address: %w", a.options.Auth.Username, err)
	default:
		return err
	}
}

func atLeast(v *driver.ServerVersion, major, minor uint64) bool {
	return v.Version.Major > major || v.Version.Major == major && v.Version.Minor >= minor
}

// insert writes rows in one block. What has begun is not cancelled: the library
// may close the connection of a batch whose context ends just after the batch was
// sent, when somebody else has it.
func (c *connection) insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	batch, err := c.conn.PrepareBatch(ctx, `INSERT INTO `+table+` ("`+strings.Join(columns, `", "`)+`")`)
	if err != nil {
		return err
	}
	defer batch.Close()
	for i := range rows {
		if err := batch.Append(rows[i]...); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return batch.Send()
}

// queryOne reads the first row of an answer, if there is one.
func queryOne(ctx context.Context, conn driver.Conn, statement string, targets ...any) error {
	rows, err := conn.Query(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
	}
	return rows.Err()
}
