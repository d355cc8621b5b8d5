{{- define "fleet.name" -}}
mcp-{{ .name }}
{{- end }}

{{- define "fleet.labels" -}}
app.kubernetes.io/name: {{ include "fleet.name" . }}
app.kubernetes.io/component: mcp-server
app.kubernetes.io/managed-by: mcpctl
app.kubernetes.io/part-of: mcp
mcpctl.io/managed: "true"
mcpctl.io/server: {{ .name }}
{{- with .labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "fleet.metadata" -}}
namespace: {{ .namespace }}
labels:
  {{- include "fleet.labels" .server | nindent 2 }}
{{- end }}

{{- define "fleet.guard" -}}
# The guard of an MCP server: clients connect to it, and it alone connects to the server.
# NO AUTHENTICATION: it keeps web pages of foreign origins out, and nobody else.
static_resources:
  listeners:
    - name: guard
      address:
        socket_address: {address: "0.0.0.0", port_value: 10000}
      per_connection_buffer_limit_bytes: 1048576
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: guard
                # One spelling of each path: what is normalized here is what the rules see and what the server gets.
                normalize_path: true
                merge_slashes: true
                path_with_escaped_slashes_action: REJECT_REQUEST
                use_remote_address: true
                common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST, idle_timeout: 3600s}
                server_header_transformation: PASS_THROUGH
                request_headers_timeout: 10s
                # Of reading a request, not of its answer.
                request_timeout: 60s
                # Streams of MCP, and calls, may be silent for long.
                stream_idle_timeout: 3600s
                http_filters:
                  # A browser names the page that asks: pages of other origins are refused, programs name none.
                  - name: origin
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
                      rules:
                        action: DENY
                        policies:
                          foreign-origin:
                            principals: [{any: true}]
                            permissions:
                              - and_rules:
                                  rules:
                                    - header: {name: origin, present_match: true}
                  - name: size
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit
                      max_request_bytes: 4194304
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                      suppress_envoy_headers: true
                route_config:
                  virtual_hosts:
                    - name: guard
                      domains: ["*"]
                      routes:
                        # Whether the guard itself answers.
                        - match: {path: /healthz}
                          direct_response: {status: 200, body: {inline_string: ok}}
                        - match:
                            path: /mcp
                            headers:
                              - {name: ":method", string_match: {safe_regex: {regex: GET|DELETE|POST}}}
                          # A call may take as long as it needs: what is silent for an hour is cut.
                          route:
                            cluster: server
                            timeout: 0s
                            idle_timeout: 3600s
                            # Servers refuse public names and origins, which were checked here.
                            host_rewrite_literal: localhost:8080
                          request_headers_to_remove: [origin]
                        # Nothing else of the server can be reached.
                        - match: {prefix: /}
                          direct_response: {status: 404}
  clusters:
    - name: server
      type: STATIC
      connect_timeout: 5s
      load_assignment:
        cluster_name: server
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: "127.0.0.1", port_value: 8080}}}
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          # Python and Node.js close an idle connection after 5 seconds: never send on one that is just closing.
          common_http_protocol_options: {idle_timeout: 4s}
          explicit_http_config: {http_protocol_options: {}}
{{- end }}
