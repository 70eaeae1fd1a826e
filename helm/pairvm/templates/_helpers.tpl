{{- define "pairvm.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains "pairvm" .Release.Name }}
{{- printf "%s-operator" .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-pairvm-operator" .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "pairvm.selectorLabels" -}}
{{/* Network policies of machines let the operator in by this name: it is not configurable. */ -}}
app.kubernetes.io/name: pairvm-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pairvm.labels" -}}
{{ include "pairvm.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: pairvm
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "pairvm.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "pairvm.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* An image by digest or tag: (dict "image" .Values.image "chart" .Chart) */}}
{{- define "pairvm.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .chart.AppVersion .image.tag }}
{{- end }}
{{- end }}

{{- define "pairvm.accelerator" -}}
{{- default (ternary "kvm" "tcg" (ne .Values.machines.kvmDeviceResource "")) .Values.machines.accelerator }}
{{- end }}
