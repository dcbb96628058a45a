{{/* Made by wharf from wharf.yaml (chat-app). Change that file and render again. */}}

{{/* Name and version of the chart, as the label helm.sh/chart has it. */}}
{{- define "chat-app.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The labels that select the replicas of a component; they never change. */}}
{{- define "chat-app.selectorLabels" -}}
app.kubernetes.io/name: {{ .component | quote }}
app.kubernetes.io/part-of: "chat-app"
{{- end }}

{{/* The labels of every object: call with (dict "root" $ "component" "web"). */}}
{{- define "chat-app.labels" -}}
helm.sh/chart: {{ include "chat-app.chart" .root }}
{{ include "chat-app.selectorLabels" . }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.environment }}
app.kubernetes.io/environment: {{ . | quote }}
{{- end }}
{{- end }}

{{/* An image that the project builds: call with (dict "root" $ "image" .Values.services.web.image). */}}
{{- define "chat-app.image" -}}
{{- $tag := .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- with .root.Values.image.registry }}{{ . | trimSuffix "/" }}/{{ end }}{{ .image.repository }}:{{ $tag }}
{{- end }}
