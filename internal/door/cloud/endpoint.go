package cloud

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// endpoint answers as GitHub's own does, for one audience and one caller.
type endpoint struct {
	url, bearer string
	server      *http.Server
}

// listen starts the endpoint for azurerm and adds its variables.
func (s *Session) listen(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the endpoint for tokens: %w", err)
	}
	e := &endpoint{url: "http://" + listener.Addr().String() + "/token?for=azure", bearer: rand.Text()}
	e.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+e.bearer)) != 1 {
			http.Error(w, "not the program that was given this address", http.StatusUnauthorized)
			return
		}
		if a := r.URL.Query().Get("audience"); a != "" && a != AzureAudience {
			http.Error(w, "only for "+AzureAudience, http.StatusForbidden)
			return
		}
		token, err := s.tokens.IDToken(r.Context(), AzureAudience)
		if err != nil {
			http.Error(w, "no token: see the log of waybill", http.StatusBadGateway)
			s.mu.Lock()
			s.failed = err
			s.mu.Unlock()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"value": token, "count": len(token)}) // the caller is gone
	})}
	go func() { _ = e.server.Serve(listener) }() // ends with close
	s.azure = e
	for i := range s.clouds {
		if s.clouds[i].audience == AzureAudience {
			s.clouds[i].variables = append(
				s.clouds[i].variables, Variable{"ARM_OIDC_REQUEST_URL", e.url}, Variable{"ARM_OIDC_REQUEST_TOKEN", e.bearer},
			)
		}
	}
	return nil
}

func (e *endpoint) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := e.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		_ = e.server.Close()
	}
}
