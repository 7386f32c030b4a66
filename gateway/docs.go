package gateway

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"

	"github.com/gin-gonic/gin"
)

var (
	//go:embed docs.html
	docsHTML string
	//go:embed docs.css
	docsCSS string
)

// docsPage is the contract as a page: made once, of one file, without scripts and without another host.
type docsPage struct {
	html   []byte
	policy string
}

func newDocsPage(version string) (*docsPage, error) {
	contract, err := readDocsContract(openAPI)
	if err != nil {
		return nil, err
	}
	contract.Build = version
	contract.CSS = template.CSS(docsCSS)
	page, err := template.New("docs").Funcs(template.FuncMap{"prose": prose, "inline": inline}).Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("gateway: the template of /docs: %w", err)
	}
	var html bytes.Buffer
	if err := page.Execute(&html, contract); err != nil {
		return nil, fmt.Errorf("gateway: rendering /docs: %w", err)
	}
	// The policy allows the page its own style, named by its hash, and nothing else.
	style := sha256.Sum256([]byte(docsCSS))
	return &docsPage{
		html: html.Bytes(),
		policy: fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			base64.StdEncoding.EncodeToString(style[:])),
	}, nil
}

func (p *docsPage) serve(c *gin.Context) {
	c.Header("Content-Security-Policy", p.policy)
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, "text/html; charset=utf-8", p.html)
}
