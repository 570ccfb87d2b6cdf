package sumo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/parquet"
)

const (
	parquetType = "application/vnd.apache.parquet"

	// rowsHeader tells how many rows a file has, which its reader cannot see before
	// it has read it.
	rowsHeader = "Trailhook-Rows"

	// exportTime is how long an export may take until its file begins to be sent.
	exportTime = 10 * time.Minute
	// exportSendTime is after how long a caller who takes nothing is gone.
	exportSendTime = 30 * time.Second
)

var errExportTime = errors.New("the export took longer than " + exportTime.String() + ": narrow its filter or its time, or export day after day")

// export answers a search with a Parquet file once it is whole, so that a failed
// search is never half a file. Types and columns are in [parquet].
func (a *API) export(w http.ResponseWriter, r *http.Request, asked search.Search) error {
	if a.exportTo == nil {
		return badRequest("this server makes no exports: ask for ndjson or csv")
	}
	connection := http.NewResponseController(w)
	connection.SetWriteDeadline(time.Time{}) // an export may take longer than other answers
	ctx, stop := context.WithTimeoutCause(r.Context(), exportTime, errExportTime)
	defer stop()
	file, err := a.exportTo.Export(ctx, a.store, asked)
	if err != nil && isGone(err) {
		return nil
	}
	if err != nil {
		return exportProblem(err)
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", parquetType)
	header.Set("Content-Length", strconv.FormatInt(about.Size(), 10))
	header.Set("Content-Disposition", `attachment; filename="trailhook.parquet"`)
	header.Set(rowsHeader, strconv.Itoa(file.Rows))
	for {
		connection.SetWriteDeadline(time.Now().Add(exportSendTime))
		if _, err := io.CopyN(w, file, 1<<20); err != nil {
			return nil // sent, or the caller went away: less than Content-Length says is no file
		}
	}
}

// exportProblem gives an error the answer that its cause deserves.
func exportProblem(err error) error {
	for _, told := range [...]error{parquet.ErrTooManyRows, parquet.ErrTooLarge} {
		if errors.Is(err, told) {
			return &problem{http.StatusBadRequest, "search_too_large", told.Error()}
		}
	}
	if errors.Is(err, errExportTime) {
		return &problem{http.StatusBadRequest, "search_too_long", errExportTime.Error()}
	}
	return searchProblem(err)
}
