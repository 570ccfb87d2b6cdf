// Package clickhousetest starts a ClickHouse server for tests: the real one, as
// the distribution has it, with its data in a temporary folder.
package clickhousetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	engine "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/trailhook/trailhook/internal/require"
)

// Server is a running server.
type Server struct {
	Addr string // of the native protocol, on the loopback interface

	folder  string
	process *exec.Cmd
	guard   *exec.Cmd
	ended   chan struct{} // closed when the process has
}

// Start starts a server, which ends with the test. Without the program the test is
// skipped, or fails: see [require.Program].
func Start(tb testing.TB) *Server {
	tb.Helper()
	program := require.Program(tb, "clickhouse-server", "apt-get install clickhouse-server (Debian's does not start by itself in a container; "+
		"elsewhere, stop it with systemctl disable --now clickhouse-server)")
	s := &Server{folder: tb.TempDir()}
	tb.Cleanup(s.Kill)
	for range 5 { // another program may take the port in between
		if err := s.start(program); err != nil {
			tb.Fatal(err)
		}
		if s.answers() {
			return s
		}
		s.Kill()
	}
	said, _ := os.ReadFile(filepath.Join(s.folder, "errors.log"))
	tb.Fatalf("clickhouse-server does not answer on %s; it says:\n%.3000s", s.Addr, said)
	return nil
}

func (s *Server) start(program string) (err error) {
	if s.Addr == "" {
		if s.Addr, err = freeAddress(); err != nil {
			return err
		}
	}
	config, err := s.writeConfig()
	if err != nil {
		return err
	}
	s.process = exec.Command(program, "--config-file", config)
	s.process.Dir = s.folder
	if err := s.process.Start(); err != nil {
		return err
	}
	// Ends the server should this process end without having done so.
	s.guard = exec.Command("sh", "-c", fmt.Sprintf("cat; kill -9 %d", s.process.Process.Pid))
	if _, err := s.guard.StdinPipe(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		s.process.Wait()
		close(s.ended)
	}()
	return s.guard.Start()
}

// Restart starts a server that was killed again, with its data, at its address.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.start(s.process.Path); err != nil {
		tb.Fatal(err)
	}
	if !s.answers() {
		tb.Fatalf("clickhouse-server does not answer on %s again", s.Addr)
	}
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.ended == nil {
		return
	}
	s.guard.Process.Kill() // first, so that it cannot end another process of this number
	s.guard.Wait()
	s.process.Process.Kill()
	<-s.ended
	s.ended = nil
}

// Database makes a database and returns its address.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	s.Exec(tb, "", `CREATE DATABASE `+name)
	return "clickhouse://" + s.Addr + "/" + name
}

// Exec has the server execute a statement in a database, or in none.
func (s *Server) Exec(tb testing.TB, database, statement string) {
	tb.Helper()
	conn, err := engine.Open(&engine.Options{Addr: []string{s.Addr}, Auth: engine.Auth{Database: database}})
	if err == nil {
		defer conn.Close()
		err = conn.Exec(context.Background(), statement)
	}
	if err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

func (s *Server) answers() bool {
	deadline := time.After(time.Minute)
	for {
		conn, err := net.Dial("tcp", s.Addr)
		if err == nil {
			conn.Close()
			if s.pings() {
				return true
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-s.ended:
			s.Addr = ""
			return false
		case <-deadline:
			return false
		}
	}
}

func (s *Server) pings() bool {
	conn, err := engine.Open(&engine.Options{Addr: []string{s.Addr}})
	if err != nil {
		return false
	}
	defer conn.Close()
	return conn.Ping(context.Background()) == nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *Server) writeConfig() (path string, err error) {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return "", err
	}
	path = filepath.Join(s.folder, "config.xml")
	config := strings.NewReplacer("FOLDER", s.folder, "PORT", port).Replace(serverConfig)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return "", err
	}
	return path, os.WriteFile(filepath.Join(s.folder, "users.xml"), []byte(usersConfig), 0o600)
}

// serverConfig is for one test: little memory, no logs but of errors, and a cluster
// named "single" of this server alone.
const serverConfig = `<yandex>
	<logger><level>error</level><log>FOLDER/server.log</log><errorlog>FOLDER/errors.log</errorlog></logger>
	<listen_host>127.0.0.1</listen_host>
	<tcp_port>PORT</tcp_port>
	<path>FOLDER/data/</path>
	<tmp_path>FOLDER/tmp/</tmp_path>
	<users_config>users.xml</users_config>
	<default_profile>default</default_profile>
	<default_database>default</default_database>
	<timezone>UTC</timezone>
	<mark_cache_size>67108864</mark_cache_size>
	<remote_servers>
		<single><shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>PORT</port></replica></shard></single>
	</remote_servers>
</yandex>
`

const usersConfig = `<yandex>
	<profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles>
	<quotas><default></default></quotas>
	<users>
		<default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default>
		<guarded><password>secret-word</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></guarded>
	</users>
</yandex>
`
