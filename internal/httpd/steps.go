package httpd

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"misstep/event"
)

// Publisher appends messages to the log of steps.
type Publisher interface {
	// Publish makes messages durable before it returns. After an error any of
	// them may be durable. ErrFull says why; every other error means that the
	// log is out of reach. It does not change the messages' data.
	Publish(ctx context.Context, messages []Message) error
}

// Message holds step events of one workflow, or where Options.Keyed of one
// trajectory, as newline-separated JSON.
type Message struct {
	Workflow string // empty when the events go to no workflow's subject
	Key      string // trajectory, empty unless Options.Keyed
	Data     []byte
	Events   int
}

// ErrFull is what a Publisher gives when the log takes no more.
var ErrFull = errors.New("log of steps is full")

// The results of an event, as metrics know them.
const (
	accepted = "accepted"
	refused  = "refused"
)

// maxListed is how many refused events an answer lists.
const maxListed = 100

// taken is the answer to a request whose events were looked at.
type taken struct {
	Accepted int          `json:"accepted"`
	Total    int          `json:"total,omitempty"` // refused events, also those that are not listed
	Errors   []eventError `json:"errors,omitempty"`
	Error    string       `json:"error,omitempty"` // why nothing more was taken
}

type eventError struct {
	Index   int    `json:"index"`
	Offset  int    `json:"offset"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (s *Server) steps(w http.ResponseWriter, r *http.Request) {
	partial, err := wantsPartial(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := checkType(r.Header); err != nil {
		w.Header().Set("Accept-Post", "application/json, application/x-ndjson")
		fail(w, http.StatusUnsupportedMediaType, err.Error())
		return
	}
	packed, err := checkEncoding(r.Header)
	if err != nil {
		w.Header().Set("Accept-Encoding", "gzip")
		fail(w, http.StatusUnsupportedMediaType, err.Error())
		return
	}
	weight := s.opts.MaxBody
	if !packed && r.ContentLength >= 0 {
		weight = r.ContentLength
	}
	if weight > s.opts.MaxBody {
		s.tooLarge(w)
		return
	}
	wait, cancel := context.WithTimeout(r.Context(), s.opts.MaxWait)
	defer cancel()
	release, err := s.held.take(wait, weight)
	if err != nil {
		retry(w, http.StatusTooManyRequests, retryBusy, "too much is being taken in; try again")
		return
	}
	defer release()
	body, err := s.read(w, r, packed)
	if err != nil {
		s.unreadable(w, err)
		return
	}
	s.take(w, r, body, partial)
}

// take judges the events of a body, and publishes them.
func (s *Server) take(w http.ResponseWriter, r *http.Request, body []byte, partial bool) {
	batch := split(body)
	answer := taken{Total: batch.refused, Errors: batch.errors}
	s.events.WithLabelValues(refused).Add(float64(batch.refused))
	switch {
	case batch.refused == 0 && len(batch.events) == 0 && len(bytes.TrimSpace(body)) == 0:
		fail(w, http.StatusBadRequest, "the body is empty; send a step event, an array of them, or one on each line")
		return
	case batch.refused > 0 && (!partial || len(batch.events) == 0):
		reply(w, http.StatusBadRequest, answer)
		return
	}
	// Where one message of a trajectory must not come before another, that waits
	// until the one is durable.
	var err error
	for _, wave := range batch.pack(s.subjects, s.opts.Keyed) {
		if err = s.opts.Publisher.Publish(r.Context(), wave); err != nil {
			break
		}
		for _, m := range wave {
			answer.Accepted += m.Events
		}
	}
	s.events.WithLabelValues(accepted).Add(float64(answer.Accepted))
	switch {
	case err == nil:
		reply(w, http.StatusOK, answer)
	case r.Context().Err() != nil:
		// Nobody is there to read an answer.
		reply(w, http.StatusServiceUnavailable, answer)
	default:
		seconds := retryNoLog
		answer.Error = "the log of steps is out of reach; send all events again, with an id in each so that none counts twice"
		if errors.Is(err, ErrFull) {
			seconds, answer.Error = retryFull, "the log of steps is full; free disk space, then send all events again"
		}
		s.opts.Log.Error().Err(err).Int("events", len(batch.events)).Int("durable", answer.Accepted).Msg("publish steps")
		w.Header().Set("Retry-After", itoa(seconds))
		reply(w, http.StatusServiceUnavailable, answer)
	}
}

func wantsPartial(r *http.Request) (bool, error) {
	q := r.URL.Query()
	switch v := q.Get("partial"); {
	case !q.Has("partial"), v == "false":
		return false, nil
	case v == "true":
		return true, nil
	}
	return false, errors.New("partial is neither true nor false")
}

func checkType(h http.Header) error {
	t := h.Get("Content-Type")
	kind, params, err := mime.ParseMediaType(t)
	switch {
	case t == "":
		return errors.New("there is no Content-Type; send application/json or application/x-ndjson")
	case err != nil, kind != "application/json" && kind != "application/x-ndjson":
		return fmt.Errorf("the Content-Type is %.80q; send application/json or application/x-ndjson (curl -H 'Content-Type: application/x-ndjson')", t)
	case params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8"):
		return errors.New("the charset is another; send UTF-8")
	}
	return nil
}

// checkEncoding reports whether the body is packed.
func checkEncoding(h http.Header) (bool, error) {
	switch e := strings.Join(h.Values("Content-Encoding"), ","); strings.ToLower(e) {
	case "", "identity":
		return false, nil
	case "gzip", "x-gzip":
		return true, nil
	}
	return false, errors.New("the Content-Encoding is another; send gzip or none")
}

var errTooLarge = errors.New("body is too large")

// read gives the whole body, unpacked.
func (s *Server) read(w http.ResponseWriter, r *http.Request, packed bool) ([]byte, error) {
	var src io.Reader = http.MaxBytesReader(w, r.Body, s.opts.MaxBody)
	if packed {
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, err
		}
		src = z
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), s.opts.MaxBody)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(src, s.opts.MaxBody+1))
	if n > s.opts.MaxBody {
		return nil, errTooLarge
	}
	return b.Bytes(), err
}

func (s *Server) unreadable(w http.ResponseWriter, err error) {
	var long *http.MaxBytesError
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &long):
		s.tooLarge(w)
	case errors.Is(err, gzip.ErrHeader):
		fail(w, http.StatusBadRequest, "the body is no gzip, though Content-Encoding says so")
	default:
		fail(w, http.StatusBadRequest, "the body broke off or is damaged; send it again")
	}
}

func (s *Server) tooLarge(w http.ResponseWriter) {
	fail(w, http.StatusRequestEntityTooLarge, "the body is longer than "+itoa(int(s.opts.MaxBody))+" bytes unpacked; send fewer events at a time")
}

// describe is what an answer says of a refused event.
func describe(err error) eventError {
	var d *event.DecodeError
	if !errors.As(err, &d) {
		return eventError{Message: err.Error()}
	}
	e := eventError{Index: d.Index, Offset: d.Offset, Field: d.Field, Message: d.Msg}
	if d.Mend != "" {
		e.Message += "; " + d.Mend
	}
	return e
}
