// Package kmsd stands in for the key management services in which a signing key
// stays: the transit engine of HashiCorp Vault
// (https://developer.hashicorp.com/vault/api-docs/secret/transit) and AWS KMS
// (https://docs.aws.amazon.com/kms/latest/APIReference). It has one key, ECDSA
// P-256, under every name.
package kmsd

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
)

// Token is the one that Vault accepts.
const Token = "s.rehearsal"

// ReadOnly is in the name of a key with which the caller may not sign.
const ReadOnly = "read-only"

// Service is the stand-in; it is safe for concurrent use.
type Service struct {
	key    *ecdsa.PrivateKey
	public []byte // DER
}

// New makes a service with a new key.
func New() (*Service, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	return &Service{key: key, public: public}, err
}

// PublicKeyPEM is the public key.
func (s *Service) PublicKeyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.public})
}

// sign gives nil if the caller may not sign with the key.
func (s *Service) sign(name string, digest []byte) []byte {
	if strings.Contains(name, ReadOnly) {
		return nil
	}
	signature, err := s.key.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil {
		return nil
	}
	return signature
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if action, found := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService."); found {
		s.serveAWS(w, r, action)
		return
	}
	s.serveVault(w, r)
}

func (s *Service) serveVault(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Vault-Token") != Token {
		answer(w, http.StatusForbidden, map[string]any{"errors": []string{"permission denied"}})
		return
	}
	switch path := r.URL.Path; {
	case r.Method == http.MethodGet && strings.HasPrefix(path, "/v1/transit/keys/"):
		answer(w, http.StatusOK, map[string]any{"data": map[string]any{
			"type": "ecdsa-p256", "latest_version": 1,
			"keys": map[string]any{"1": map[string]any{"name": "P-256", "public_key": string(s.PublicKeyPEM())}},
		}})
	case r.Method == http.MethodPut && strings.HasPrefix(path, "/v1/transit/sign/") && strings.HasSuffix(path, "/sha2-256"):
		var body struct {
			Input     []byte `json:"input"`
			Prehashed bool   `json:"prehashed"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !body.Prehashed {
			answer(w, http.StatusBadRequest, map[string]any{"errors": []string{"want a digest"}})
			return
		}
		signature := s.sign(path, body.Input)
		if signature == nil {
			answer(w, http.StatusForbidden, map[string]any{"errors": []string{"1 error occurred:\n\t* permission denied\n\n"}})
			return
		}
		answer(w, http.StatusOK, map[string]any{"data": map[string]any{
			"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(signature),
		}})
	default:
		answer(w, http.StatusNotFound, map[string]any{"errors": []string{}})
	}
}

func (s *Service) serveAWS(w http.ResponseWriter, r *http.Request, action string) {
	var body struct {
		Message                       []byte
		MessageType, SigningAlgorithm string
		KeyID                         string `json:"KeyId"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"__type": "SerializationException"})
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	const spec, algorithm = "ECC_NIST_P256", "ECDSA_SHA_256"
	switch action {
	case "DescribeKey":
		answer(w, http.StatusOK, map[string]any{"KeyMetadata": map[string]any{
			"KeyId": body.KeyID, "KeySpec": spec, "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": []string{algorithm},
		}})
	case "GetPublicKey":
		answer(w, http.StatusOK, map[string]any{
			"KeyId": body.KeyID, "KeySpec": spec, "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": []string{algorithm},
			"PublicKey": s.public,
		})
	case "Sign":
		if body.MessageType != "DIGEST" || body.SigningAlgorithm != algorithm {
			answer(w, http.StatusBadRequest, map[string]any{"__type": "ValidationException"})
			return
		}
		signature := s.sign(body.KeyID, body.Message)
		if signature == nil {
			answer(w, http.StatusBadRequest, map[string]any{
				"__type": "AccessDeniedException", "message": "User is not authorized to perform: kms:Sign on resource: " + body.KeyID,
			})
			return
		}
		answer(w, http.StatusOK, map[string]any{"KeyId": body.KeyID, "Signature": signature, "SigningAlgorithm": algorithm})
	default:
		answer(w, http.StatusBadRequest, map[string]any{"__type": "UnknownOperationException"})
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
