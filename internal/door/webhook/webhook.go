// Package webhook posts a notification to an address that is itself a secret.
//
// Invariant: no error holds the address or what was answered. Nothing is sent anywhere
// but to the address: redirects are not followed. A post ends within Timeout.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Timeout bounds one post.
const Timeout = 5 * time.Second

// Message is a notification.
type Message struct {
	URL    string
	Secret string // key of the signature; empty signs nothing
	Event  string
	ID     string // the same for the same fact
	Body   []byte // JSON
}

// Send posts a message once. Nothing is repeated: an answer that was lost is no reason
// to tell somebody twice.
func Send(ctx context.Context, m Message) error {
	address, err := url.Parse(m.URL)
	if err != nil || address.Host == "" {
		return errors.New("the address is no URL")
	}
	if loopback := net.ParseIP(address.Hostname()).IsLoopback(); address.Scheme != "https" && (address.Scheme != "http" || !loopback) {
		return errors.New("the address does not begin with https://")
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return errors.New("the address is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "waybill")
	req.Header.Set("X-Waybill-Event", m.Event)
	req.Header.Set("X-Waybill-Delivery", m.ID)
	if m.Secret != "" {
		// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
		mac := hmac.New(sha256.New, []byte(m.Secret))
		mac.Write(m.Body)
		req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return cause(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return fmt.Errorf("the answer is %d: redirects are not followed", resp.StatusCode)
	case resp.StatusCode >= 300:
		return fmt.Errorf("the answer is %d", resp.StatusCode)
	}
	return nil
}

// cause leaves out the address, which net/http puts into its errors.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("there was no answer within %s", Timeout)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return errors.New("the server cannot be reached")
	}
	return errors.New("the request failed")
}
