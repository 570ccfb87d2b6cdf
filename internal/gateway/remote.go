package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/trailhook/trailhook/internal/entity"
)

// Remote is a source that asks a control plane's API. It waits there for
// changes, so that it knows them at once.
type Remote struct {
	URL          string // of the API, without a path
	Token        string // of who may retrieve the control plane's configuration
	ControlPlane string // its id
	Organization string
	Region       string
	// Kept is the file in which the last good configuration is kept (0600, since
	// it holds keys), so that a start without the control plane serves it; empty:
	// nowhere.
	Kept   string
	Client *http.Client // without a limit in time below that of a wait
	Logger *slog.Logger
}

// How long a remote source waits in one request, after a failure, and for a
// whole request; and how large an answer may be.
const (
	remoteWait     = 25 * time.Second
	remotePause    = time.Second
	remoteLongest  = 30 * time.Second
	remoteTimeout  = time.Minute
	remoteMaxBytes = 256 << 20
)

// kept is the last good configuration as it is on disk.
type kept struct {
	ControlPlane string          `json:"control_plane"`
	Tag          string          `json:"etag"`
	Entities     json.RawMessage `json:"entities"`
}

// Follow implements [Source].
func (s Remote) Follow(ctx context.Context, apply func(Configuration)) {
	tag := s.restore(apply)
	wait := remotePause
	for ctx.Err() == nil {
		body, next, err := s.ask(ctx, tag)
		if err == nil && body != nil {
			err = s.take(body, apply)
		}
		if err != nil {
			if ctx.Err() == nil {
				s.Logger.Warn("the control plane does not answer; what it last told goes on being served", "error", err)
			}
			pause(ctx, wait)
			wait = min(2*wait, remoteLongest)
			continue
		}
		wait = remotePause
		if body == nil {
			continue
		}
		tag = next
		if err := s.keep(kept{s.ControlPlane, tag, body}); err != nil {
			s.Logger.Error("the configuration cannot be kept for a start without the control plane", "error", err)
		}
	}
}

// ask returns the configuration, or nothing when it is the one with the tag.
func (s Remote) ask(ctx context.Context, tag string) (body []byte, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	address := fmt.Sprintf("%s/trailhook/v1/control-planes/%s/configuration?wait=%.0f", s.URL, url.PathEscape(s.ControlPlane), remoteWait.Seconds())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	resp, err := s.Client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotModified:
		return nil, tag, nil
	case http.StatusOK:
	default:
		return nil, "", fmt.Errorf("the control plane answered %s", resp.Status)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, remoteMaxBytes+1))
	if err == nil && len(body) > remoteMaxBytes {
		err = errors.New("the configuration is too large")
	}
	return body, resp.Header.Get("ETag"), err
}

func (s Remote) take(body []byte, apply func(Configuration)) error {
	var documents map[entity.Kind][]entity.Document
	if err := json.Unmarshal(body, &documents); err != nil {
		return fmt.Errorf("the configuration cannot be read: %w", err)
	}
	apply(Configuration{Entities: entity.NewSet(documents), Organization: s.Organization, Region: s.Region})
	return nil
}

// restore applies what was kept of the control plane, and returns its tag.
func (s Remote) restore(apply func(Configuration)) (tag string) {
	if s.Kept == "" {
		return ""
	}
	text, err := os.ReadFile(s.Kept)
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	var last kept
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err == nil && last.ControlPlane != s.ControlPlane {
		return ""
	}
	if err == nil {
		err = s.take(last.Entities, apply)
	}
	if err != nil {
		s.Logger.Error("the configuration that was kept cannot be used", "file", s.Kept, "error", err)
		return ""
	}
	return last.Tag
}

// keep replaces the file, all of it or nothing.
func (s Remote) keep(last kept) error {
	if s.Kept == "" {
		return nil
	}
	text, err := json.Marshal(last)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(s.Kept), ".configuration-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), s.Kept)
}

func empty() *entity.Set { return entity.NewSet(nil) }
