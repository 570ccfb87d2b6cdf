package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/outbound"
)

// maxLine is the longest line that is verified, in bytes.
const maxLine = 1 << 20

type verifyCommand struct {
	JWKS  string   `name:"jwks" help:"Key set to verify with: a URL or a file." default:"http://127.0.0.1:8080/v2/audit-log-webhook/jwks.json" placeholder:"URL|FILE"`
	CA    string   `name:"ca" help:"PEM file of the authority that the URL's certificate is from." placeholder:"FILE"`
	Files []string `arg:"" optional:"" help:"Files of lines, one event a line; standard input when there are none."`
}

func (verifyCommand) Help() string {
	return `Prints one line for each line read: the verdict, a tab, and the file and line number.
The exit status is 1 when any line is not valid.

  trailhook verify --jwks https://us.api.konghq.com/v2/audit-log-webhook/jwks.json audit.log`
}

func (c *verifyCommand) Run(ctx context.Context, s streams) error {
	keys, err := c.keys(ctx)
	if err != nil {
		return err
	}
	if len(c.Files) == 0 {
		return c.verify(s, keys, "-", s.in)
	}
	var errs []error
	for _, name := range c.Files {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		errs = append(errs, c.verify(s, keys, name, file))
		file.Close()
	}
	return errors.Join(errs...)
}

func (c *verifyCommand) verify(s streams, keys *audit.KeySet, name string, r io.Reader) error {
	out := bufio.NewWriter(s.out)
	defer out.Flush()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	number, bad := 0, 0
	for lines.Scan() {
		number++
		line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
		if len(line) == 0 {
			continue
		}
		verdict, kid := keys.Verify(line)
		if verdict != audit.Valid {
			bad++
		}
		fmt.Fprintf(out, "%s\t%s:%d\t%s\n", verdict, name, number, kid)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, number+1, err)
	}
	if bad > 0 {
		return fmt.Errorf("%s: %d of %d lines are not valid", name, bad, number)
	}
	return nil
}

func (c *verifyCommand) keys(ctx context.Context) (*audit.KeySet, error) {
	if !strings.Contains(c.JWKS, "://") {
		data, err := os.ReadFile(c.JWKS)
		if err != nil {
			return nil, fmt.Errorf("--jwks: %w", err)
		}
		return audit.ParseJWKS(data)
	}
	// Whoever types the URL may reach it: no address is refused.
	options := outbound.Options{Policy: outbound.Policy{AllowPrivate: true}, UserAgent: "trailhook/" + version}
	if c.CA != "" {
		roots, err := readPool(c.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		options.RootCAs = roots
	}
	response, err := outbound.New(options).Get(ctx, outbound.Request{URL: c.JWKS, MaxBody: maxLine})
	if err != nil {
		return nil, fmt.Errorf("--jwks: %w", err)
	}
	if response.Status != 200 {
		return nil, fmt.Errorf("--jwks %s: status %d", c.JWKS, response.Status)
	}
	return audit.ParseJWKS(response.Body)
}
