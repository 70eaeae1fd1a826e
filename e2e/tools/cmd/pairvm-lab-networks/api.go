package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

const (
	oneCallTimeout  = 3 * time.Second // an API server that needs longer is as good as away
	allCallsTimeout = 9 * time.Second // of one ADD; the kubelet tries again anyway
	retryPause      = 200 * time.Millisecond
	maxAnswerBytes  = 4 << 20
)

// apiServer is the little of the Kubernetes API that is needed here.
type apiServer struct {
	client *http.Client
	base   string
}

func connect(c *config) (*apiServer, error) {
	certificate, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("no certificate in %s", c.CAFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &apiServer{client: &http.Client{Transport: transport, Timeout: oneCallTimeout}, base: c.Server}, nil
}

type podObject struct {
	Metadata struct {
		UID         string            `json:"uid"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

func podPath(p *pod) string {
	return "/api/v1/namespaces/" + url.PathEscape(string(p.K8S_POD_NAMESPACE)) + "/pods/" + url.PathEscape(string(p.K8S_POD_NAME))
}

// networksOf returns the networks annotation. A pod of the same name that is not this one is an error: the sandbox is stale.
func (a *apiServer) networksOf(ctx context.Context, p *pod) (string, error) {
	var object podObject
	if err := a.call(ctx, http.MethodGet, podPath(p), "", nil, &object); err != nil {
		return "", err
	}
	if p.K8S_POD_UID != "" && object.Metadata.UID != string(p.K8S_POD_UID) {
		return "", fmt.Errorf("pod %s/%s is another one by now", p.K8S_POD_NAMESPACE, p.K8S_POD_NAME)
	}
	return object.Metadata.Annotations[networksAnnotation], nil
}

// definition returns the configuration in the NetworkAttachmentDefinition, which may be empty.
func (a *apiServer) definition(ctx context.Context, s selection) (string, error) {
	var object struct {
		Spec struct {
			Config string `json:"config"`
		} `json:"spec"`
	}
	path := "/apis/k8s.cni.cncf.io/v1/namespaces/" + s.Namespace + "/network-attachment-definitions/" + s.Name
	err := a.call(ctx, http.MethodGet, path, "", nil, &object)
	return object.Spec.Config, err
}

// report writes the network-status annotation, through the pod's status as node agents may.
func (a *apiServer) report(ctx context.Context, p *pod, status []interfaceStatus) error {
	text, err := json.Marshal(status)
	if err != nil {
		return err
	}
	metadata := map[string]any{"annotations": map[string]string{statusAnnotation: string(text)}}
	if p.K8S_POD_UID != "" {
		metadata["uid"] = string(p.K8S_POD_UID) // another pod of that name is not touched
	}
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	return a.call(ctx, http.MethodPatch, podPath(p)+"/status", "application/merge-patch+json", patch, nil)
}

// call repeats until the server answers or ctx ends. An answer that is an error is final, but for 429 and 5xx.
func (a *apiServer) call(ctx context.Context, method, path, contentType string, body []byte, into any) error {
	for {
		again, err := a.once(ctx, method, path, contentType, body, into)
		if err == nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("API server: %w", err)
		case <-time.After(retryPause):
		}
	}
}

func (a *apiServer) once(ctx context.Context, method, path, contentType string, body []byte, into any) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return true, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return true, err
	}
	if answer.StatusCode/100 != 2 {
		again = answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= 500
		return again, fmt.Errorf("%s %s: %s: %.300s", method, path, answer.Status, text)
	}
	if into == nil {
		return false, nil
	}
	return false, json.Unmarshal(text, into)
}
