package sinks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/template"
)

//go:embed templates/*.tmpl
var templates embed.FS

// WebhookTemplates lists the bodies that are there ready-made.
func WebhookTemplates() []string {
	return []string{"json", "slack", "teams", "pagerduty", "opsgenie", "cloudevents"}
}

// WebhookOptions say what is sent where.
type WebhookOptions struct {
	Name     string
	Endpoint Endpoint
	// Template is one of WebhookTemplates; empty: Body counts.
	Template string
	// Body is a text/template of the body; see Message.
	Body string
	// Key is a secret that the template may use, such as PagerDuty's
	// integration key; nil: there is none.
	Key Secret
	// Sign is the key of the HMAC-SHA-256 over the body, in the header
	// Misstep-Signature; nil: nothing is signed.
	Sign Secret
}

// Message is what a template of a webhook is given.
type Message struct {
	*Note         // of the last record
	Notes []*Note // all of them, more than one only in a group
	Key   string  // the secret of the destination
	IDKey string  // idempotency key of the message
}

// Webhook sends each record, or group, in one POST. The header Idempotency-Key
// is the same whenever the same is sent again.
type Webhook struct {
	opts   WebhookOptions
	body   *template.Template
	kind   string
	closed bool
}

// templateFuncs are what makes foreign text safe in a template.
var templateFuncs = template.FuncMap{
	// json is a JSON value, quotes included.
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	// line is text on one line without control characters, of at most n columns.
	"line": func(n int, s string) string { return clean(s, n) },
	// slack is such a line in which nothing is markup.
	"slack": func(n int, s string) string {
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", "∗", "_", "ˍ", "~", "∼", "`", "ˋ").Replace(clean(s, n))
	},
	// markdown is such a line in which nothing is markup.
	"markdown": func(n int, s string) string {
		var b strings.Builder
		for _, r := range clean(s, n) {
			if strings.ContainsRune("\\`*_{}[]()<>#+-.!|~&@:/", r) {
				fmt.Fprintf(&b, "&#%d;", r)
				continue
			}
			b.WriteRune(r)
		}
		return b.String()
	},
	"upper": strings.ToUpper,
}

// NewWebhook checks the template.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	body := o.Body
	if o.Template != "" {
		b, err := templates.ReadFile("templates/" + o.Template + ".tmpl")
		if err != nil {
			return nil, fmt.Errorf("there is no template %q; there are %s", o.Template, strings.Join(WebhookTemplates(), ", "))
		}
		body = string(b)
	}
	t, err := template.New("body").Option("missingkey=error").Funcs(templateFuncs).Parse(body)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	w := &Webhook{opts: o, body: t, kind: "application/json"}
	if o.Template == "cloudevents" {
		w.kind = "application/cloudevents+json"
	}
	// A template that cannot even write an empty record is a mistake.
	n := &Note{ID: "0", Kind: KindFailure, Encoded: json.RawMessage("{}")}
	if _, err := w.render(&Message{Note: n, Notes: []*Note{n}}); err != nil {
		return nil, err
	}
	return w, nil
}

// Name is the one given.
func (w *Webhook) Name() string { return w.opts.Name }

// Write sends each record by itself.
func (w *Webhook) Write(ctx context.Context, records []Record) error {
	if w.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, r := range records {
		if r.Note == nil {
			continue
		}
		if err := w.send(ctx, []*Note{r.Note}); err != nil {
			return after(i, err)
		}
	}
	return nil
}

// WriteGroup implements Grouper.
func (w *Webhook) WriteGroup(ctx context.Context, records []Record) error {
	if w.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var notes []*Note
	for _, r := range records {
		if r.Note != nil {
			notes = append(notes, r.Note)
		}
	}
	if len(notes) == 0 {
		return nil
	}
	return w.send(ctx, notes)
}

func (w *Webhook) send(ctx context.Context, notes []*Note) error {
	m := &Message{Note: notes[len(notes)-1], Notes: notes, IDKey: notes[0].Key()}
	if len(notes) > 1 {
		h := sha256.New()
		for _, n := range notes {
			fmt.Fprintln(h, n.Key())
		}
		m.IDKey = hex.EncodeToString(h.Sum(nil)[:16])
	}
	if w.opts.Key != nil {
		key, err := w.opts.Key()
		if err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		m.Key = key
	}
	body, err := w.render(m)
	if err != nil {
		return &WriteError{Permanent: true, Err: err}
	}
	header := http.Header{"Content-Type": {w.kind}, "Idempotency-Key": {clean(m.IDKey, 200)}}
	if w.opts.Sign != nil {
		key, err := w.opts.Sign()
		if err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		header.Set("Misstep-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	path := ""
	if w.opts.Template == "opsgenie" && m.Resolved() { // which has a call of its own for that
		path, body = "/"+url.PathEscape(m.ID)+"/close?identifierType=alias", []byte(`{"source":"misstep"}`)
	}
	_, err = w.opts.Endpoint.send(ctx, http.MethodPost, path, header, body)
	return err
}

// maxBody is how long a body may be, in bytes.
const maxBody = 16 << 20

func (w *Webhook) render(m *Message) ([]byte, error) {
	var b bytes.Buffer
	if err := w.body.Execute(&b, m); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if b.Len() > maxBody {
		return nil, fmt.Errorf("template: gives %d bytes, more than %d", b.Len(), maxBody)
	}
	if !json.Valid(b.Bytes()) {
		return nil, fmt.Errorf("template: gives no valid JSON; write texts with json, as in {\"text\": {{json .Message}}}")
	}
	return b.Bytes(), nil
}

// Close ends the sink; everything was sent already.
func (w *Webhook) Close() error {
	w.closed = true
	w.opts.Endpoint.close()
	return nil
}
