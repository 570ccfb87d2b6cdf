package clickhouse

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	engine "github.com/ClickHouse/clickhouse-go/v2"
)

// Address says where a store is. It has a password, which none of its texts show.
type Address struct {
	options engine.Options
	cluster string
}

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// ParseAddress reads the address of a database,
//
//	clickhouse://user:password@host:9000,host2:9000/database?secure=true&cluster=name
//
// by the native protocol, of which everything but one host may be left out: the
// port is then 9000 (9440 with secure), the user and the database are named default.
// cluster lays the tables out over the servers of a cluster of that name in the
// servers' configuration. The other parameters are those of clickhouse-go.
func ParseAddress(text string) (*Address, error) {
	before, hosts, after := cutHosts(text)
	u, err := url.Parse(before + "host" + after)
	if err != nil || u.Scheme != "clickhouse" {
		// Without the text, and what url says of it: a password may be in it.
		return nil, errors.New("want clickhouse://user:password@host:9000/database; in a user's name or password, write marks such as @ / : % as %40 %2F %3A %25")
	}
	values := u.Query()
	cluster := values.Get("cluster")
	if values.Has("cluster") && !clusterName.MatchString(cluster) {
		return nil, fmt.Errorf("cluster %q: a cluster's name is of letters, digits, _, . and -", cluster)
	}
	values.Del("cluster")
	if !values.Has("dial_timeout") {
		values.Set("dial_timeout", "10s")
	}
	u.RawQuery = values.Encode()
	if u.Path == "" || u.Path == "/" {
		u.Path = "/default"
	}
	options, err := engine.ParseDSN(u.String())
	if err != nil {
		return nil, fmt.Errorf("parameters of the address: %w", withoutAddress(err))
	}
	if cluster != "" && !clusterName.MatchString(options.Auth.Database) {
		return nil, fmt.Errorf("database %q: on a cluster a database's name is of letters, digits, _, . and -", options.Auth.Database)
	}
	port := "9000"
	if options.TLS != nil {
		port = "9440"
	}
	if options.Addr, err = addresses(hosts, port); err != nil {
		return nil, err
	}
	return &Address{options: *options, cluster: cluster}, nil
}

// cutHosts cuts the hosts out of an address: several are no part of a URL.
func cutHosts(text string) (before, hosts, after string) {
	from := strings.Index(text, "://") + len("://")
	if from < len("://") {
		return text, "", ""
	}
	to := len(text)
	if i := strings.IndexAny(text[from:], "/?#"); i >= 0 {
		to = from + i
	}
	if i := strings.LastIndexByte(text[from:to], '@'); i >= 0 {
		from += i + 1
	}
	return text[:from], text[from:to], text[to:]
}

func addresses(hosts, port string) (addresses []string, err error) {
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("clickhouse://" + host)
		if err != nil || u.Hostname() == "" || u.User != nil {
			return nil, fmt.Errorf("%q is not a host with a port or without", host)
		}
		addresses = append(addresses, net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
	}
	return addresses, nil
}

// withoutAddress is what went wrong without the address in which it did.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// String names the servers and the database, and no secrets.
func (a *Address) String() string {
	return "clickhouse://" + strings.Join(a.options.Addr, ",") + "/" + a.options.Auth.Database
}

// pool is connections of their own: searches, however many, must not keep inserts
// waiting for one. An answer may take until the timeout, or the address's if that
// is 0.
func (a *Address) pool(connections int, timeout time.Duration) engine.Options {
	options := a.options
	options.ReadTimeout = cmp.Or(timeout, options.ReadTimeout)
	options.MaxOpenConns, options.MaxIdleConns = connections, connections
	options.ConnMaxLifetime = time.Hour
	return options
}
