package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
)

// writeIdentity uses the test server's own certificate as the client's: who we are is not checked here, only that we can say it.
func (w *world) writeIdentity(server *httptest.Server) {
	own := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})))
	w.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}
